#include "pipeline/processor/deduplicator.hpp"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>

namespace adtally::processor {
namespace {

using domain::EventType;

constexpr HashKey key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::int64_t start = 1'700'000'000'000;

TEST(Deduplicator, AnEventCountsOnceAndTypesAreApart) {
    Deduplicator seen(Milliseconds{1000}, key);
    EXPECT_TRUE(seen.insert(EventType::impression, "a", TimestampMs{start}));
    EXPECT_FALSE(seen.insert(EventType::impression, "a", TimestampMs{start}));
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{start}));
    EXPECT_TRUE(seen.insert(EventType::impression, "b", TimestampMs{start}));
}

// A tenth more than the window, for what was on its way: nothing is compared with less than it.
TEST(Deduplicator, TheWindowEndsExactlyAndEveryOccurrenceRenewsIt) {
    Deduplicator seen(Milliseconds{1000}, key);
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{start}));
    EXPECT_FALSE(seen.insert(EventType::click, "a", TimestampMs{start + 1100}));
    EXPECT_FALSE(seen.insert(EventType::click, "a", TimestampMs{start + 2200}));
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{start + 3301}));
}

TEST(Deduplicator, RemembersAMinuteMoreThanALongWindow) {
    EXPECT_EQ(remembered(Milliseconds{600'000}), Milliseconds{660'000});
    EXPECT_EQ(remembered(Milliseconds{60'000}), Milliseconds{66'000});
    EXPECT_EQ(remembered(Milliseconds{3'600'000}), Milliseconds{3'660'000});
}

// Two collectors with two clocks write one partition.
TEST(Deduplicator, ATimeBeforeTheOneSeenIsWithinTheWindow) {
    Deduplicator seen{Milliseconds{1000}, HashKey{}};
    ASSERT_TRUE(seen.insert(domain::EventType::click, "a", TimestampMs{5000}));
    EXPECT_FALSE(seen.insert(domain::EventType::click, "a", TimestampMs{4999}));
    // The later time stays.
    EXPECT_FALSE(seen.insert(domain::EventType::click, "a", TimestampMs{6000}));
    EXPECT_TRUE(seen.insert(domain::EventType::click, "a", TimestampMs{7101}));
}

TEST(Deduplicator, SurvivesTheWrapOfItsClock) {
    constexpr std::int64_t wrap = (std::int64_t{1} << 32) * 400;
    Deduplicator seen(Milliseconds{1000}, key);
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{wrap - 500}));
    EXPECT_FALSE(seen.insert(EventType::click, "a", TimestampMs{wrap + 400}));
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{wrap + 1501}));
}

// Seed 92803 of the simulation.
TEST(Deduplicator, IsExactAtTheMomentOfTheWrap) {
    constexpr std::int64_t wrap = (std::int64_t{1} << 32) * 397;
    Deduplicator seen(Milliseconds{1000}, key);
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{wrap}));
    EXPECT_TRUE(seen.insert(EventType::click, "b", TimestampMs{wrap}));
    EXPECT_EQ(seen.seen_at(EventType::click, "a", TimestampMs{wrap + 3}), TimestampMs{wrap});
    EXPECT_FALSE(seen.insert(EventType::click, "a", TimestampMs{wrap + 1100}));
    EXPECT_TRUE(seen.insert(EventType::click, "b", TimestampMs{wrap + 1101}));
}

// Against the definition, spelled out: seen within the window before, by any earlier occurrence.
TEST(Deduplicator, AgreesWithTheDefinitionOnRandomStreams) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        Deduplicator seen(Milliseconds{500}, key);
        std::map<std::string, std::int64_t> last;
        std::int64_t now = start;
        for (int i = 0; i < 20'000; ++i) {
            now += static_cast<std::int64_t>(random() % 3);
            std::string id = std::to_string(random() % 2'000);
            auto before = last.find(id);
            bool fresh = before == last.end() || now - before->second > 550;
            ASSERT_EQ(seen.insert(EventType::impression, id, TimestampMs{now}), fresh)
                << "seed " << seed << " step " << i;
            last[id] = now;
        }
    }
}

TEST(Deduplicator, MemoryFollowsTheWindowNotTheStream) {
    Deduplicator seen(Milliseconds{1000}, key);
    for (std::int64_t i = 0; i < 500'000; ++i)
        ASSERT_TRUE(seen.insert(EventType::impression, std::to_string(i), TimestampMs{start + i}));
    // 1,101 live at any time.
    EXPECT_LE(seen.size(), 4'000u);
    EXPECT_LE(seen.memory_bytes(), 128u * 1024);
}

TEST(Deduplicator, ClearForgets) {
    Deduplicator seen(Milliseconds{1000}, key);
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{start}));
    seen.clear();
    EXPECT_EQ(seen.size(), 0u);
    EXPECT_TRUE(seen.insert(EventType::click, "a", TimestampMs{start}));
}

}  // namespace
}  // namespace adtally::processor
