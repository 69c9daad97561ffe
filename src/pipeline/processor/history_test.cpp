#include "pipeline/processor/history.hpp"

#include <gtest/gtest.h>

namespace adtally::processor {
namespace {

using domain::EventType;

constexpr Milliseconds window{600'000};
constexpr TimestampMs received{1'705'320'000'000};

TimestampMs after(std::int64_t ms) {
    return TimestampMs{received.value + ms};
}

TEST(History, ARecordIsLateWhenTheWindowDoesNotReachBackToItsReceipt) {
    EXPECT_FALSE(late_since(received, received, window).has_value());
    EXPECT_FALSE(late_since(received, after(60'000), window).has_value());
    EXPECT_EQ(late_since(received, after(60'001), window), std::optional{after(-600'000)});
    EXPECT_TRUE(late_since(received, after(history_reach.count()), window).has_value());
    EXPECT_FALSE(late_since(received, after(history_reach.count() + 1), window).has_value())
        << "no spool is so old";
    EXPECT_FALSE(late_since(received, after(-5'000), window).has_value()) << "a fast clock";
    // A short window leaves less room for clocks.
    EXPECT_EQ(late_since(received, after(101), Milliseconds{1'000}), std::optional{after(-1'000)});
}

TEST(History, RemembersWhenAnEventWasSeenLast) {
    Deduplicator memory{Milliseconds{8 * 86'400'000}, random_hash_key()};
    constexpr std::int64_t day_ms = 86'400'000;
    EXPECT_FALSE(memory.seen_at(EventType::click, "a", received).has_value());
    memory.insert(EventType::click, "a", received);
    memory.insert(EventType::click, "a", after(day_ms));
    EXPECT_EQ(memory.seen_at(EventType::click, "a", after(3 * day_ms)),
              std::optional{after(day_ms)});
    EXPECT_FALSE(memory.seen_at(EventType::impression, "a", received).has_value());
    EXPECT_FALSE(memory.seen_at(EventType::click, "a", after(10 * day_ms)).has_value());
    EXPECT_EQ(memory.seen_at(EventType::click, "a", received), std::optional{after(day_ms)})
        << "a clock that went back a little";
}

TEST(History, StopsRememberingAtItsLimit) {
    History history{received, random_hash_key()};
    for (std::size_t i = 0; i <= static_cast<std::size_t>(history_records); ++i)
        history.insert(EventType::click, std::to_string(i), received);
    EXPECT_TRUE(history.truncated);
    EXPECT_EQ(history.memory.size(), static_cast<std::size_t>(history_records));
}

}  // namespace
}  // namespace adtally::processor
