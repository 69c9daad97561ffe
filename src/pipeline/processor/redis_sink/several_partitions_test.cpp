// Several partitions in one apply(): what they share is added up, what hinders one hinders no
// other.
#include <gtest/gtest.h>
#include <memory>
#include <utility>

#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/redis_sink/test_support.hpp"

namespace adtally::redis_sink {
namespace {

using domain::EventType;
using processor::Aggregator;
using processor::Deltas;
using processor::Flush;
using processor::FlushOutcome;
using processor::TestEvent;
using Kind = FlushOutcome::Kind;

class SeveralPartitions : public RedisStoreTest {
protected:
    // The flush of a partition that holds these events and nothing before them.
    Flush first_flush(std::int32_t partition, const std::vector<TestEvent>& events) {
        Aggregator aggregator{domain::ReportingZone::utc()};
        for (const TestEvent& from : events) {
            domain::Event event = to_event(from);
            aggregator.add(event, domain::Nanos{1'000});
        }
        Deltas& deltas = *deltas_.emplace_back(std::make_unique<Deltas>());
        aggregator.roll_up(deltas);
        processor::Books books;
        books.counted = static_cast<std::int64_t>(events.size());
        return {Partition{partition}, Offset{0}, Offset{books.counted}, true, books, &deltas};
    }
    std::vector<Kind> apply(const std::vector<Flush>& flushes) {
        auto outcomes = store_.apply(flushes, thresholds_);
        std::vector<Kind> kinds;
        totals_.clear();
        if (!outcomes) {
            ADD_FAILURE() << outcomes.error().message;
            return kinds;
        }
        for (const FlushOutcome& outcome : outcomes.value()) {
            kinds.push_back(outcome.kind);
            totals_.insert(totals_.end(), outcome.totals.begin(), outcome.totals.end());
        }
        return kinds;
    }

    std::vector<std::unique_ptr<Deltas>> deltas_;
    std::vector<processor::EntityTotals> totals_;
};

TEST_F(SeveralPartitions, AddUpWhatTheyShare) {
    // Ad 5 in two partitions: as after partitions were added to a topic.
    const auto kinds = apply({
        first_flush(0, {{.ad = 1, .campaign = 9, .time_ms = noon},
                        {.ad = 5, .campaign = 9, .time_ms = noon}}),
        first_flush(
            1, {{.type = EventType::click, .ad = 2, .campaign = 9, .time_ms = noon, .session = "s"},
                {.ad = 5, .campaign = 9, .time_ms = noon}}),
        first_flush(
            2,
            {{.type = EventType::click, .ad = 3, .campaign = 9, .time_ms = noon, .session = "s"}}),
    });
    EXPECT_EQ(kinds, (std::vector{Kind::applied, Kind::applied, Kind::applied}));
    EXPECT_EQ(get("campaign:metrics:9:impressions"), "3");
    EXPECT_EQ(get("campaign:metrics:9:clicks"), "2");
    EXPECT_EQ(get("campaign:metrics:9:ctr"), "0.666667");
    EXPECT_EQ(get("campaign:metrics:9:cost_nanos"), "5000");
    EXPECT_EQ(get("ad:metrics:5:impressions"), "2");
    EXPECT_EQ(get("hourly:metrics:5:2024-01-15T12:impressions"), "2");
    EXPECT_EQ(get("hourly:metrics:5:12:impressions"), "2");
    EXPECT_EQ(get("daily:metrics:5:2024-01-15:impressions"), "2");
    EXPECT_EQ(get("session:clicks:s"), "2");
    EXPECT_EQ(get("adtally:offset:ad-events:0"), "2");
    EXPECT_EQ(get("adtally:offset:ad-events:1"), "2");
    EXPECT_EQ(get("adtally:offset:ad-events:2"), "1");
    EXPECT_EQ(run({"HGET", "adtally:books:ad-events:1", "counted"}).text, "2");
    EXPECT_EQ(totals_.size(), 5u) << "four ads and a campaign, each once";
}

TEST_F(SeveralPartitions, AConflictInOneKeepsNoOtherFromIt) {
    (void)run({"SET", "adtally:offset:ad-events:1", "7"});
    const std::vector flushes{
        first_flush(0, {{.ad = 1, .campaign = 9, .time_ms = noon}}),
        first_flush(1, {{.ad = 2, .campaign = 9, .time_ms = noon}}),
        first_flush(2, {{.ad = 3, .campaign = 9, .time_ms = noon}}),
    };
    EXPECT_EQ(apply(flushes), (std::vector{Kind::applied, Kind::conflict, Kind::applied}));
    EXPECT_EQ(get("campaign:metrics:9:impressions"), "2");
    EXPECT_EQ(get("ad:metrics:2:impressions"), "absent");
    EXPECT_EQ(get("adtally:offset:ad-events:1"), "7");
    EXPECT_EQ(apply(flushes), (std::vector{Kind::conflict, Kind::conflict, Kind::conflict}));
    EXPECT_EQ(get("campaign:metrics:9:impressions"), "2");
}

TEST_F(SeveralPartitions, AForeignKeyHindersWhoTouchesIt) {
    (void)run({"HSET", "ad:metrics:2:impressions", "f", "v"});
    EXPECT_EQ(apply({
                  first_flush(0, {{.ad = 1, .campaign = 9, .time_ms = noon}}),
                  first_flush(1, {{.ad = 2, .campaign = 9, .time_ms = noon}}),
                  first_flush(2, {{.ad = 3, .campaign = 9, .time_ms = noon}}),
              }),
              (std::vector{Kind::applied, Kind::refused, Kind::applied}));
    EXPECT_EQ(get("campaign:metrics:9:impressions"), "2");
    EXPECT_EQ(get("adtally:offset:ad-events:1"), "absent");
}

TEST_F(SeveralPartitions, KeepTheirDeadLettersApart) {
    Flush zero = first_flush(0, {{.ad = 1, .campaign = 9, .time_ms = noon}});
    deltas_.back()->dead_letters = {{Offset{1}, Offset{3}}};
    Flush one = first_flush(1, {});
    deltas_.back()->dead_letters = {{Offset{0}, Offset{0}}, {Offset{2}, Offset{4}}};
    EXPECT_EQ(apply({zero, one}), (std::vector{Kind::applied, Kind::applied}));
    const auto ranges = [&](std::string_view key) {
        std::vector<std::string> texts;
        for (const auto& element : run({"ZRANGE", key, "0", "-1"}).elements)
            texts.push_back(element.text);
        return texts;
    };
    EXPECT_EQ(ranges("adtally:dead-lettered:ad-events:0"), std::vector<std::string>{"1-3"});
    EXPECT_EQ(ranges("adtally:dead-lettered:ad-events:1"),
              (std::vector<std::string>{"0-0", "2-4"}));
}

// More than one call may hold: they are sent one after the other and answer in the same order.
TEST_F(SeveralPartitions, FillSeveralCalls) {
    std::vector<Flush> flushes;
    for (std::int32_t partition = 0; partition < 3; ++partition) {
        std::vector<TestEvent> events;
        for (std::int64_t ad = 1; ad <= 1'500; ++ad)
            events.push_back({.ad = partition * 10'000 + ad, .campaign = 9, .time_ms = noon});
        flushes.push_back(first_flush(partition, events));
    }
    EXPECT_EQ(apply(flushes), (std::vector{Kind::applied, Kind::applied, Kind::applied}));
    EXPECT_EQ(get("campaign:metrics:9:impressions"), "4500");
    EXPECT_EQ(get("ad:metrics:21500:impressions"), "1");
}

}  // namespace
}  // namespace adtally::redis_sink
