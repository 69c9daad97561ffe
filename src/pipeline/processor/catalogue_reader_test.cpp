// What campaigns bid, also after the reader was replaced.
#include "pipeline/processor/catalogue_reader.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>

#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/test_events.hpp"

namespace adtally::processor {
namespace {

class CatalogueReaderTest : public testing::Test {
protected:
    // Campaign 1 stands in partition 1, campaign 2 in partition 0.
    void bid(std::int64_t campaign, std::int64_t micros) {
        log_.put(static_cast<std::int32_t>(campaign % 2), TimestampMs{0},
                 R"({"model":"CPM","bid_micros":)" + std::to_string(micros) + "}",
                 std::to_string(campaign));
    }
    std::int64_t price(std::int64_t campaign) const {
        const TestEvent made{.campaign = campaign, .id = "e"};  // the event views it
        domain::Event event = to_event(made);
        event.has_cost = false;
        return catalogue_.cost_of(event).value;
    }
    void eventually(const std::function<bool()>& condition) {
        const Deadline deadline = Deadline::after(Milliseconds{20'000});
        std::mutex mutex;
        std::condition_variable never;
        while (!condition()) {
            ASSERT_FALSE(deadline.passed());
            std::unique_lock lock(mutex);
            never.wait_for(lock, Milliseconds{1});
        }
    }
    void replace_reader() {
        log_.end_readers();
        EXPECT_FALSE(reader_.read_new().has_value());
    }

    fakes::MemoryLog log_{2};
    domain::Catalogue catalogue_;
    CatalogueReader reader_{log_, "ad-events", catalogue_};
};

TEST_F(CatalogueReaderTest, FollowsTheBids) {
    bid(1, 3'000);
    bid(2, 5'000);
    bid(1, 4'000);
    ASSERT_TRUE(reader_.read_new().has_value());
    EXPECT_TRUE(reader_.loaded());
    EXPECT_EQ(price(1), 4'000);
    EXPECT_EQ(price(2), 5'000);
    log_.put(0, TimestampMs{0}, "", "2");
    log_.put(0, TimestampMs{0}, "no bid", "2");
    ASSERT_TRUE(reader_.read_new().has_value());
    EXPECT_EQ(price(2), 0);
    EXPECT_EQ(reader_.skipped(), 1);
}

TEST_F(CatalogueReaderTest, APartitionThatDoesNotAnswerItsNextReaderIsReadLater) {
    bid(1, 3'000);
    bid(2, 5'000);
    ASSERT_TRUE(reader_.read_new().has_value());
    replace_reader();
    log_.mute(1, true);
    eventually([&] {
        const Status read = reader_.read_new();
        return !read && read.error().message == "told to be mute";
    });
    EXPECT_EQ(price(1), 3'000) << "the old ones hold";
    EXPECT_EQ(price(2), 5'000);
    bid(1, 4'000);
    log_.mute(1, false);
    eventually([&] { return reader_.read_new().has_value() && price(1) == 4'000; });
    EXPECT_EQ(price(2), 5'000);
}

TEST_F(CatalogueReaderTest, NothingIsPricedByWhatItsNextReaderHasReadOfIt) {
    bid(1, 3'000);
    bid(2, 5'000);
    ASSERT_TRUE(reader_.read_new().has_value());
    replace_reader();
    log_.withhold(0, true);
    bid(1, 4'000);
    // It reads until nothing more comes, and begins anew: never is there half of it.
    eventually([&] {
        const Status read = reader_.read_new();
        return !read && read.error().message.find("none came") != std::string::npos;
    });
    EXPECT_EQ(price(1), 3'000);
    log_.withhold(0, false);
    eventually([&] { return reader_.read_new().has_value() && price(1) == 4'000; });
    EXPECT_EQ(price(2), 5'000);
}

TEST_F(CatalogueReaderTest, WhatIsGoneFromTheTopicIsGoneWithTheNextReader) {
    bid(1, 3'000);
    bid(2, 5'000);
    ASSERT_TRUE(reader_.read_new().has_value());
    replace_reader();
    log_.expire_before(1, 1);  // its removal is compacted away, too
    eventually([&] { return reader_.read_new().has_value() && price(1) == 0; });
    EXPECT_EQ(price(2), 5'000);
}

}  // namespace
}  // namespace adtally::processor
