#include "pipeline/processor/aggregator.hpp"

#include <gtest/gtest.h>

#include "pipeline/processor/test_events.hpp"

namespace adtally::processor {
namespace {

using domain::EventType;

constexpr std::int64_t noon = 1'705'320'000'000;  // 2024-01-15T12:00:00Z
constexpr std::int64_t hour_ms = 3'600'000;

void add(Aggregator& aggregator, const TestEvent& from) {
    domain::Event event = to_event(from);
    aggregator.add(event, domain::to_nanos(event.cost));
}

TEST(Aggregator, RollsOneCellUpIntoEveryKey) {
    Aggregator aggregator(domain::ReportingZone::utc());
    add(aggregator, {.ad = 7, .campaign = 3, .time_ms = noon, .cost_micros = 2500});
    add(aggregator, {.type = EventType::click, .ad = 7, .campaign = 3, .time_ms = noon + 1});
    Deltas deltas;
    aggregator.roll_up(deltas);

    domain::MetricDelta both{1, 1, 0, domain::Nanos{2'500'000}, domain::Nanos{0}};
    ASSERT_EQ(deltas.ads.size(), 1u);
    EXPECT_EQ(deltas.ads[0].id, 7);
    EXPECT_EQ(deltas.ads[0].delta, both);
    ASSERT_EQ(deltas.campaigns.size(), 1u);
    EXPECT_EQ(deltas.campaigns[0].id, 3);
    EXPECT_EQ(deltas.campaigns[0].delta, both);
    ASSERT_EQ(deltas.hours.size(), 1u);
    EXPECT_EQ(domain::format_hour(deltas.hours[0].hour), "2024-01-15T12");
    ASSERT_EQ(deltas.days.size(), 1u);
    EXPECT_EQ(domain::format_day(deltas.days[0].day), "2024-01-15");
    ASSERT_EQ(deltas.windows.size(), 2u);
    EXPECT_EQ(deltas.windows[0].bucket, noon / 10'000);
    EXPECT_EQ(deltas.windows[0].impressions, 1);
    EXPECT_EQ(deltas.windows[0].clicks, 1);
}

TEST(Aggregator, EventTimeDecidesHourAndDayInTheReportingZone) {
    Aggregator aggregator(*domain::ReportingZone::from_name("+08:00"));
    add(aggregator, {.time_ms = noon + 3 * hour_ms});               // 23:00 on the 15th
    add(aggregator, {.time_ms = noon + 4 * hour_ms});               // 00:00 on the 16th
    add(aggregator, {.ad = 2, .time_ms = noon + 4 * hour_ms - 1});  // 23:59:59.999
    Deltas deltas;
    aggregator.roll_up(deltas);
    ASSERT_EQ(deltas.hours.size(), 3u);
    EXPECT_EQ(domain::format_hour(deltas.hours[0].hour), "2024-01-15T23");
    EXPECT_EQ(domain::format_hour(deltas.hours[1].hour), "2024-01-16T00");
    EXPECT_EQ(domain::format_hour(deltas.hours[2].hour), "2024-01-15T23");
    ASSERT_EQ(deltas.days.size(), 3u);
}

TEST(Aggregator, SessionsCountClicksOnly) {
    Aggregator aggregator(domain::ReportingZone::utc());
    add(aggregator, {.session = "s-1"});
    add(aggregator, {.type = EventType::click, .time_ms = noon + 5, .session = "s-2"});
    add(aggregator, {.type = EventType::click, .time_ms = noon + 3, .session = "s-2"});
    add(aggregator, {.type = EventType::click, .time_ms = noon});
    Deltas deltas;
    aggregator.roll_up(deltas);
    ASSERT_EQ(deltas.sessions.size(), 1u);
    EXPECT_EQ(deltas.sessions[0].session, "s-2");
    EXPECT_EQ(deltas.sessions[0].clicks, 2);
    EXPECT_EQ(deltas.sessions[0].last_click.value, noon + 5);
}

TEST(Aggregator, RollUpKeepsTheCellsUntilTheyAreCleared) {
    Aggregator aggregator(domain::ReportingZone::utc());
    add(aggregator, {});
    Deltas first;
    Deltas second;
    aggregator.roll_up(first);
    aggregator.roll_up(second);
    EXPECT_EQ(first.ads[0].delta, second.ads[0].delta);
    aggregator.clear();
    EXPECT_EQ(aggregator.size(), 0u);
    aggregator.roll_up(second);
    EXPECT_TRUE(second.ads.empty());
}

}  // namespace
}  // namespace adtally::processor
