#include "platform/redis/server_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "platform/redis/test_support.hpp"

namespace adtally::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

class ServerLogTest : public testing::Test {
protected:
    void write(std::string_view text) { std::ofstream{log_.path(), std::ios::app} << text; }

    TemporaryDirectory directory_;
    ServerLog log_{directory_.path() / "redis.log"};
};

TEST_F(ServerLogTest, LastWordsAreThisRunsWithoutTimes) {
    EXPECT_EQ(log_.last_words(), "");
    write("1:M 22 Nov 2026 08:00:00.123 # Of the run before\n");
    log_.begin_run();
    EXPECT_EQ(log_.last_words(), "");
    write("7:M 22 Nov 2026 08:00:00.123 * one\n\n7:M 22 Nov 2026 08:00:00.124 # two words\n");
    EXPECT_EQ(log_.last_words(), "one | two words");
    write("*** plain ***\nlast");
    EXPECT_EQ(log_.last_words(), "two words | *** plain *** | last");
}

TEST_F(ServerLogTest, IsEmptiedBeforeARunWhenOverTenMebibytes) {
    write(std::string((10 << 20) + 1, 'x'));
    log_.begin_run();
    EXPECT_EQ(std::filesystem::file_size(log_.path()), 0u);
    write("new\n");
    EXPECT_EQ(log_.last_words(), "new");
}

TEST(ServerLogPrefix, IsOnlyCutWhereItIsOne) {
    EXPECT_EQ(without_prefix("12:C 1 Jan 2026 00:00:00.000 # Fatal error"), "Fatal error");
    EXPECT_EQ(without_prefix("12:C 1 Jan"), "12:C 1 Jan");
    EXPECT_EQ(without_prefix(">>> 'port x'"), ">>> 'port x'");
    EXPECT_EQ(without_prefix(""), "");
    EXPECT_EQ(without_prefix("a:b c d e f g h"), "a:b c d e f g h");
}

TEST(ServerLogRemedy, NamesTheRepairOfADamagedFileOrTheLog) {
    EXPECT_THAT(remedy("Bad file format reading the append only file x.aof", "/d", "/d/redis.log"),
                HasSubstr("redis-check-aof --fix /d/appendonly.aof"));
    EXPECT_THAT(remedy("Address already in use", "/d", "/d/redis.log"),
                AllOf(HasSubstr("/d/redis.log"), Not(HasSubstr("redis-check-aof"))));
}

}  // namespace
}  // namespace adtally::redis
