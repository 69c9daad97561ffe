#include "platform/eventlog/tail_cache.hpp"

#include <gtest/gtest.h>

namespace adtally::eventlog {
namespace {

void push(TailCache& cache, std::int32_t partition, std::int64_t base, std::int64_t end) {
    cache.push(Partition{partition}, {Offset{base}, Offset{end}, TimestampMs{0}},
               padded(std::string(1000, 'x')));
}

std::size_t held(const TailCache& cache, std::int32_t partition, std::int64_t from,
                 std::size_t max_bytes = 1u << 20) {
    std::vector<BlockBytes> blocks;
    cache.copy(Partition{partition}, Offset{from}, max_bytes, blocks);
    return blocks.size();
}

TEST(TailCache, GivesTheBlocksFromTheOneThatHoldsTheOffset) {
    TailCache cache{2, 1u << 20};
    push(cache, 0, 0, 10);
    push(cache, 0, 10, 20);
    push(cache, 0, 20, 30);
    EXPECT_EQ(held(cache, 0, 0), 3u);
    EXPECT_EQ(held(cache, 0, 9), 3u);
    EXPECT_EQ(held(cache, 0, 10), 2u);
    EXPECT_EQ(held(cache, 0, 29), 1u);
    EXPECT_EQ(held(cache, 0, 30), 0u);
    EXPECT_EQ(held(cache, 1, 0), 0u);
    EXPECT_EQ(held(cache, 0, 0, 1500), 2u);
}

TEST(TailCache, DropsTheOldestOfAllPartitionsFirst) {
    TailCache cache{2, 4000};
    push(cache, 0, 0, 10);
    push(cache, 1, 0, 10);
    push(cache, 1, 10, 20);
    EXPECT_EQ(held(cache, 0, 0), 1u);
    push(cache, 1, 20, 30);
    EXPECT_LE(cache.bytes(), 4000u);
    EXPECT_EQ(held(cache, 0, 0), 0u);
    EXPECT_EQ(held(cache, 1, 0), 3u);
    push(cache, 0, 10, 20);
    EXPECT_EQ(held(cache, 1, 0), 0u);
    EXPECT_EQ(held(cache, 1, 10), 2u);
    EXPECT_EQ(held(cache, 0, 10), 1u);
    cache.clear();
    EXPECT_EQ(cache.bytes(), 0u);
    EXPECT_EQ(held(cache, 1, 10), 0u);
}

}  // namespace
}  // namespace adtally::eventlog
