// The realtime store against a real redis-server.
#include "pipeline/collector/realtime_redis.hpp"

#include <gmock/gmock.h>

#include "pipeline/collector/realtime.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::collector {
namespace {

using domain::EventType;

class RealtimeRedisTest : public testing::Test {
protected:
    std::string get(std::string_view key) {
        Result<redis::Reply> reply = client.command({"GET", key});
        EXPECT_TRUE(reply);
        return reply.value().text;
    }
    std::int64_t lifetime(std::string_view key) {
        Result<redis::Reply> reply = client.command({"TTL", key});
        EXPECT_TRUE(reply);
        return reply.value().integer;
    }

    redis::RedisServer server;
    redis::Client client = server.client();
    RedisRealtimeStore store{server.client_options()};
};

TEST_F(RealtimeRedisTest, AddsUpAndExpires) {
    const std::vector<RealtimeCount> counts{{EventType::impression, 1705327402, 5},
                                            {EventType::click, 1705327402, 1}};

    EXPECT_TRUE(store.add(counts));
    EXPECT_TRUE(store.add(counts));

    EXPECT_EQ(get("realtime:impression:1705327402"), "10");
    EXPECT_EQ(get("realtime:click:1705327402"), "2");
    EXPECT_GT(lifetime("realtime:click:1705327402"), 0);
    EXPECT_LE(lifetime("realtime:click:1705327402"), realtime_window_seconds);
}

TEST_F(RealtimeRedisTest, AKeyOfAnotherTypeDoesNotMakeTheOthersCountTwice) {
    ASSERT_TRUE(client.command({"LPUSH", "realtime:click:1", "x"}));

    EXPECT_TRUE(store.add(
        std::vector<RealtimeCount>{{EventType::click, 1, 1}, {EventType::impression, 1, 1}}));

    EXPECT_EQ(get("realtime:impression:1"), "1");
}

TEST_F(RealtimeRedisTest, SaysThatRedisIsAwayAndComesBackWithIt) {
    const std::vector<RealtimeCount> counts{{EventType::conversion, 2, 1}};
    server.kill9();
    EXPECT_FALSE(store.add(counts));

    server.start();
    EXPECT_TRUE(store.add(counts));

    redis::Client fresh = server.client();
    EXPECT_EQ(fresh.command({"GET", "realtime:conversion:2"}).value().text, "1");
}

}  // namespace
}  // namespace adtally::collector
