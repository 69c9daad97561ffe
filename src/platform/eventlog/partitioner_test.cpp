#include "platform/eventlog/partitioner.hpp"

#include <gtest/gtest.h>

#include <string>

#include "platform/eventlog/event_log.hpp"

namespace adtally::eventlog {
namespace {

// The vectors of the Java client's own UtilsTest.
TEST(Murmur2, GivesWhatTheJavaClientGives) {
    EXPECT_EQ(murmur2("21"), -973932308);
    EXPECT_EQ(murmur2("foobar"), -790332482);
    EXPECT_EQ(murmur2("a-little-bit-long-string"), -985981536);
    EXPECT_EQ(murmur2("a-little-bit-longer-string"), -1486304829);
    EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
    EXPECT_EQ(murmur2("abc"), 479470107);
    EXPECT_EQ(murmur2(""), 275646681);
}

TEST(PartitionOf, DropsTheSignAndStaysInside) {
    EXPECT_EQ(partition_of("21", 7).value, (-973932308 & 0x7fffffff) % 7);
    EXPECT_EQ(partition_of("", 12).value, 275646681 % 12);
    for (int i = 0; i < 10'000; ++i) {
        const Partition partition = partition_of(std::to_string(i), 12);
        EXPECT_GE(partition.value, 0);
        EXPECT_LT(partition.value, 12);
    }
}

}  // namespace
}  // namespace adtally::eventlog
