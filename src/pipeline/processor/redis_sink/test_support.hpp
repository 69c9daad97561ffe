// For tests only: a RedisStore on a real Redis of its own, empty at the start of each test.
#pragma once

#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/redis_sink/redis_store.hpp"
#include "pipeline/processor/test_events.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::redis_sink {

inline constexpr std::int64_t noon = 1'705'320'000'000;  // 2024-01-15T12:00:00Z

class RedisStoreTest : public testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<redis::RedisServer>(); }
    static void TearDownTestSuite() { server.reset(); }
    void SetUp() override { (void)run({"FLUSHALL"}); }

    redis::Reply run(std::initializer_list<std::string_view> words) {
        auto reply = client_.command(words);
        EXPECT_TRUE(reply.has_value());
        return reply ? reply.value() : redis::Reply{};
    }
    std::string get(std::string_view key) {
        redis::Reply reply = run({"GET", key});
        return reply.is_nil() ? "absent" : reply.text;
    }

    static inline std::unique_ptr<redis::RedisServer> server;
    redis::Client client_ = server->client();
    SystemClock clock_;
    CrashPoints crash_points_;
    RedisStore store_{server->client_options(), "ad-events", clock_, crash_points_};
    processor::Thresholds thresholds_;
};

// Folds events and flushes them as the steps of one partition.
class OnePartitionTest : public RedisStoreTest {
protected:
    void add(const processor::TestEvent& from, std::int64_t nanos = 0) {
        domain::Event event = to_event(from);
        aggregator_.add(event, domain::Nanos{nanos});
        events_ += 1;
    }
    // Flushes what was added as the partition's next step.
    processor::FlushOutcome flush() {
        processor::FlushOutcome outcome = flush_at(next_, next_ + events_, next_ == 0);
        if (outcome.kind == processor::FlushOutcome::Kind::applied) {
            next_ += events_;
            events_ = 0;
            aggregator_.clear();
        }
        return outcome;
    }
    processor::FlushOutcome flush_at(std::int64_t start, std::int64_t end, bool first) {
        aggregator_.roll_up(deltas_);
        processor::Books books;
        books.counted = end - start;
        processor::Flush step{Partition{0}, Offset{start}, Offset{end}, first, books, &deltas_};
        auto outcomes = store_.apply({&step, 1}, thresholds_);
        EXPECT_TRUE(outcomes.has_value()) << outcomes.error().message;
        return outcomes ? outcomes.value().at(0) : processor::FlushOutcome{};
    }

    processor::Aggregator aggregator_{domain::ReportingZone::utc()};
    processor::Deltas deltas_;
    std::int64_t next_ = 0;
    std::int64_t events_ = 0;
};

}  // namespace adtally::redis_sink
