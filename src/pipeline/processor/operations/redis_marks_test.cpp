// Marks in a real Redis, and how long they live.
#include "pipeline/processor/operations/redis_marks.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "platform/redis/test_support.hpp"

namespace adtally::operations {
namespace {

constexpr TimestampMs noon{1'705'320'000'000};

class RedisMarksTest : public testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<redis::RedisServer>(); }
    static void TearDownTestSuite() { server.reset(); }
    void SetUp() override { (void)client.command({"FLUSHALL"}); }

    static Letter letter(std::int64_t offset, std::int64_t origin) {
        Letter letter;
        letter.position = {Partition{1}, Offset{offset}};
        letter.origin_topic = "ad-events";
        letter.origin = {Partition{3}, Offset{origin}};
        return letter;
    }
    std::int64_t ttl(const Letter& of) {
        return client.command({"TTL", "adtally:redriven:" + of.origin_id()}).value().integer;
    }
    std::int64_t indexed() {
        return client.command({"ZCARD", "adtally:redriven-letters:dlt:1"}).value().integer;
    }

    static std::unique_ptr<redis::RedisServer> server;
    redis::Client client = server->client();
    RedisMarks marks{client, "dlt"};
};

std::unique_ptr<redis::RedisServer> RedisMarksTest::server;

TEST_F(RedisMarksTest, ALetterIsBegunByOneAndDoneAfterwards) {
    const Letter one = letter(5, 17);
    EXPECT_FALSE(marks.find(one).value().has_value());
    EXPECT_TRUE(marks.begin(one, noon).value());
    EXPECT_FALSE(marks.begin(letter(9, 17), noon).value()) << "a copy of it";
    EXPECT_FALSE(marks.find(one).value()->done);
    EXPECT_EQ(marks.find(one).value()->at, noon);
    ASSERT_TRUE(marks.finish(one, TimestampMs{noon.value + 1}));
    EXPECT_TRUE(marks.find(one).value()->done);
    EXPECT_EQ(ttl(one), -1);
}

TEST_F(RedisMarksTest, WhatWasBegunCanBeTakenBack) {
    const Letter one = letter(5, 17);
    EXPECT_TRUE(marks.begin(one, noon).value());
    ASSERT_TRUE(marks.forget(one));
    EXPECT_FALSE(marks.find(one).value().has_value());
    EXPECT_EQ(indexed(), 0);
    ASSERT_TRUE(marks.forget(one)) << "it may never have come so far";
    EXPECT_TRUE(marks.begin(one, noon).value());
}

// The answer of begin() was lost, and another redrive was faster.
TEST_F(RedisMarksTest, AMarkOfAnotherIsNotTakenBack) {
    const Letter one = letter(5, 17);
    RedisMarks others{client, "dlt"};
    EXPECT_TRUE(others.begin(one, noon).value());
    EXPECT_FALSE(marks.begin(one, noon).value());
    ASSERT_TRUE(marks.forget(one));
    ASSERT_TRUE(marks.find(one).value().has_value());
    EXPECT_EQ(marks.find(one).value()->at, noon);
    ASSERT_TRUE(others.finish(one, noon));
    ASSERT_TRUE(marks.forget(one));
    ASSERT_TRUE(others.forget(one)) << "done stays done";
    EXPECT_TRUE(marks.find(one).value()->done);
    EXPECT_EQ(indexed(), 1);
}

TEST_F(RedisMarksTest, AMarkOfAnOlderVersionIsRead) {
    const Letter one = letter(5, 17);
    ASSERT_TRUE(client.command({"SET", "adtally:redriven:" + one.origin_id(), "begun 99"}));
    EXPECT_EQ(marks.find(one).value()->at, TimestampMs{99});
    EXPECT_FALSE(marks.find(one).value()->done);
    ASSERT_TRUE(marks.forget(one));
    EXPECT_TRUE(marks.find(one).value().has_value());
}

TEST_F(RedisMarksTest, AMarkLivesAsLongAsTheNewestLetterOfItsRecordAndAMonth) {
    const Letter first = letter(5, 17);
    const Letter copy = letter(9, 17);
    const Letter other = letter(6, 18);
    ASSERT_TRUE(marks.begin(first, noon).value());
    ASSERT_TRUE(marks.finish(first, noon));
    ASSERT_TRUE(marks.keep(copy));
    ASSERT_TRUE(marks.keep(first));  // does not make it older
    ASSERT_TRUE(marks.begin(other, noon).value());
    ASSERT_TRUE(marks.removed_before(Partition{1}, Offset{9}));
    EXPECT_EQ(ttl(first), -1);
    EXPECT_GT(ttl(other), 29 * 86'400);
    EXPECT_EQ(indexed(), 1);
    ASSERT_TRUE(marks.removed_before(Partition{1}, Offset{10}));
    EXPECT_GT(ttl(first), 29 * 86'400);
    EXPECT_EQ(indexed(), 0);
    EXPECT_TRUE(marks.find(first).value()->done);
}

TEST_F(RedisMarksTest, ThousandsOfRemovedLettersAgeAtOnce) {
    for (std::int64_t i = 0; i < 2'500; ++i)
        ASSERT_TRUE(marks.begin(letter(i, i), noon).value());
    ASSERT_TRUE(marks.removed_before(Partition{1}, Offset{2'400}));
    EXPECT_EQ(indexed(), 100);
    EXPECT_EQ(ttl(letter(2'400, 2'400)), -1);
    EXPECT_GT(ttl(letter(0, 0)), 0);
}

}  // namespace
}  // namespace adtally::operations
