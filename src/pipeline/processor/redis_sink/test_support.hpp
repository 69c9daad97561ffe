// For tests only: a RedisStore on a real Redis of its own, empty at the start of each test.
#pragma once

#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

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

}  // namespace adtally::redis_sink
