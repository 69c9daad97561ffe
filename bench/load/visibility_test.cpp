#include "load/visibility.hpp"

#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>

#include "load/test_support.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::load {
namespace {

// Counts into Redis, as the whole of adtally does, whatever posts an impression; lets a test wait
// until so many were posted.
class Collector {
public:
    Collector(redis::Client client, bool counts) : client_(std::move(client)), counts_(counts) {}

    std::string answer(std::string_view request) {
        constexpr std::string_view member = R"("ad_id":")";
        std::lock_guard lock(mutex_);
        ++posted_;
        posted_changed_.notify_all();
        if (counts_) {
            std::size_t start = request.find(member) + member.size();
            std::string ad{request.substr(start, request.find('"', start) - start)};
            std::string key = "ad:metrics:" + ad + ":impressions";
            EXPECT_TRUE(client_.command({"INCR", key}));
        }
        return accepted_answer;
    }
    int posted() {
        std::lock_guard lock(mutex_);
        return posted_;
    }
    bool wait_until_posted(int count) {
        std::unique_lock lock(mutex_);
        return posted_changed_.wait_for(lock, std::chrono::seconds{30},
                                        [this, count] { return posted_ >= count; });
    }

private:
    redis::Client client_;
    bool counts_;
    std::mutex mutex_;
    std::condition_variable posted_changed_;
    int posted_ = 0;
};

TEST(Visibility, MeasuresUntilTheCounterIsThere) {
    redis::RedisServer redis;
    Collector collector{redis.client(), true};
    TinyServer server{[&collector](std::string_view request) { return collector.answer(request); },
                      Milliseconds{50}};
    Visibility visibility{server.url(), redis.endpoint()};
    ASSERT_TRUE(collector.wait_until_posted(4));
    VisibilityResult result = visibility.finish();
    EXPECT_GE(result.posted, 4u);
    EXPECT_EQ(result.microseconds.count(), result.posted);
    EXPECT_EQ(result.refused, 0u);
    EXPECT_EQ(result.lost, 0u);
    EXPECT_GE(result.microseconds.max(), 50'000u);  // the first answer, and its count, came late
}

TEST(Visibility, TheWarmupIsForgotten) {
    redis::RedisServer redis;
    Collector collector{redis.client(), true};
    TinyServer server{[&collector](std::string_view request) { return collector.answer(request); }};
    Visibility visibility{server.url(), redis.endpoint()};
    ASSERT_TRUE(collector.wait_until_posted(3));
    visibility.restart();
    ASSERT_TRUE(collector.wait_until_posted(collector.posted() + 2));
    VisibilityResult result = visibility.finish();
    EXPECT_GE(result.posted, 1u);
    EXPECT_LE(result.microseconds.count(), result.posted);
    EXPECT_EQ(result.lost, 0u);
}

TEST(Visibility, CountsWhatTheCollectorRefuses) {
    redis::RedisServer redis;
    Collector collector{redis.client(), false};
    TinyServer server{[&collector](std::string_view request) {
        collector.answer(request);
        return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    }};
    Visibility visibility{server.url(), redis.endpoint()};
    ASSERT_TRUE(collector.wait_until_posted(2));
    VisibilityResult result = visibility.finish();
    EXPECT_GE(result.posted, 2u);
    EXPECT_EQ(result.refused, result.posted);
    EXPECT_EQ(result.microseconds.count(), 0u);
}

}  // namespace
}  // namespace adtally::load
