#include "pipeline/processor/history.hpp"

#include <gtest/gtest.h>

#include "pipeline/processor/partition_state.hpp"
#include "pipeline/processor/test_events.hpp"

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

// Late ones come all the time. What stands between the last two million is known of each of them.
TEST(History, IsReadAnewWhenItIsFull) {
    PartitionState state{Partition{0}, Aggregator{*domain::ReportingZone::from_name("UTC")},
                         Deduplicator{window, random_hash_key()}};
    state.reset_to(Offset{0}, Offset{0}, true);
    Tools tools;
    Offset next{0};
    const auto process = [&](const std::string& id, std::int64_t received_ms, TimestampMs at) {
        std::string text = record({.id = id, .received_ms = received_ms});
        const std::size_t size = text.size();
        text.append(eventlog::value_padding, ' ');
        const auto done =
            state.process({next, at, {}, std::string_view(text).substr(0, size)}, tools);
        next.value += done == PartitionState::Step::done ? 1 : 0;
        return done;
    };
    constexpr std::int64_t late_by = 3'600'000;
    const auto late = [&](const std::string& id, TimestampMs at) {
        return process(id, at.value - late_by, at);
    };
    ASSERT_EQ(late("first", after(0)), PartitionState::Step::needs_history);
    state.begin_history();
    ASSERT_EQ(late("first", after(0)), PartitionState::Step::done);
    std::string id = "record-0000000";
    for (std::int64_t i = 1; i < history_records; ++i) {
        for (std::size_t digit = id.size() - 1; ++id[digit] > '9'; --digit)
            id[digit] = '0';
        ASSERT_EQ(process(id, after(i / 10).value, after(i / 10)), PartitionState::Step::done);
        if (i % 100'000 == 0)
            state.mark_flushed();
    }
    EXPECT_EQ(late("last", after(history_records / 10)), PartitionState::Step::needs_history);
}

}  // namespace
}  // namespace adtally::processor
