// What the API reads back, from keys that the real script wrote into a real Redis.
#include "pipeline/processor/metrics_api/metrics_reader.hpp"

#include <gtest/gtest.h>

#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/redis_sink/redis_store.hpp"
#include "pipeline/processor/test_events.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::metrics_api {
namespace {

using domain::EventType;
using processor::TestEvent;

constexpr std::int64_t noon = 1'705'320'000'000;  // 2024-01-15T12:00:00Z

class MetricsReader : public testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<redis::RedisServer>(); }
    static void TearDownTestSuite() { server.reset(); }
    void SetUp() override { ASSERT_TRUE(client_.command({"FLUSHALL"}).has_value()); }

    void count(const std::vector<TestEvent>& events) {
        processor::Aggregator aggregator(domain::ReportingZone::utc());
        for (const TestEvent& from : events) {
            domain::Event event = to_event(from);
            aggregator.add(event, domain::to_nanos(event.cost));
        }
        processor::Deltas deltas;
        aggregator.roll_up(deltas);
        auto size = static_cast<std::int64_t>(events.size());
        processor::Flush flush{Partition{0}, Offset{next_},   Offset{next_ + size},
                               next_ == 0,   {size, 0, 0, 0}, &deltas};
        next_ += size;
        auto outcomes = store_.apply({&flush, 1}, {});
        ASSERT_TRUE(outcomes.has_value());
        ASSERT_EQ(outcomes.value()[0].kind, processor::FlushOutcome::Kind::applied);
    }

    static std::unique_ptr<redis::RedisServer> server;
    redis::Client client_ = server->client();
    SystemClock clock_;
    CrashPoints crash_points_;
    redis_sink::RedisStore store_{server->client_options(), "ad-events", clock_, crash_points_};
    std::int64_t next_ = 0;
};

std::unique_ptr<redis::RedisServer> MetricsReader::server;

TEST_F(MetricsReader, TellsAnAdWithItsRatios) {
    count({{.time_ms = noon, .cost_micros = 2500},
           {.time_ms = noon, .cost_micros = 2500},
           {.type = EventType::click, .time_ms = noon}});
    auto json = entity_json(client_, processor::Entity::ad, 1);
    ASSERT_TRUE(json.has_value());
    EXPECT_EQ(json.value(),
              R"({"ad_id":"1","impressions":2,"clicks":1,"conversions":0,"ctr":0.500000,)"
              R"("cpc":0.005000,"cpm":2.500000,"cost":0.005000,"cost_nanos":"5000000",)"
              R"("value_nanos":"0"})");
}

TEST_F(MetricsReader, AnAdThatWasNeverCountedIsNotFound) {
    auto json = entity_json(client_, processor::Entity::campaign, 42);
    ASSERT_FALSE(json.has_value());
    EXPECT_EQ(json.error().code, ErrorCode::not_found);
}

TEST_F(MetricsReader, ADayHas24HoursAndARangeAllItsDays) {
    count({{.time_ms = noon}, {.time_ms = noon + 86'400'000}});
    auto hours = hourly_json(client_, 1, *domain::parse_day("2024-01-15"));
    ASSERT_TRUE(hours.has_value());
    EXPECT_NE(hours.value().find(R"({"hour":12,"impressions":1,)"), std::string::npos);
    EXPECT_NE(hours.value().find(R"({"hour":23,"impressions":0,)"), std::string::npos);
    auto days =
        daily_json(client_, 1, *domain::parse_day("2024-01-15"), *domain::parse_day("2024-01-17"));
    ASSERT_TRUE(days.has_value());
    EXPECT_NE(days.value().find(R"({"date":"2024-01-16","impressions":1,)"), std::string::npos);
    EXPECT_NE(days.value().find(R"({"date":"2024-01-17","impressions":0,)"), std::string::npos);
}

TEST_F(MetricsReader, TopIsHighestFirstAndCtrNeedsEnoughImpressions) {
    std::vector<TestEvent> events(100, TestEvent{.ad = 1, .time_ms = noon});
    events.push_back({.type = EventType::click, .ad = 1, .time_ms = noon});
    events.push_back({.ad = 2, .time_ms = noon});
    events.push_back({.type = EventType::click, .ad = 2, .time_ms = noon});
    count(events);
    auto by_impressions = top_json(client_, "impressions", 10);
    ASSERT_TRUE(by_impressions.has_value());
    EXPECT_LT(by_impressions.value().find(R"("ad_id":"1")"),
              by_impressions.value().find(R"("ad_id":"2")"));
    auto by_ctr = top_json(client_, "ctr", 10);
    ASSERT_TRUE(by_ctr.has_value());
    EXPECT_NE(by_ctr.value().find(R"("ad_id":"1")"), std::string::npos);
    EXPECT_EQ(by_ctr.value().find(R"("ad_id":"2")"), std::string::npos);
    auto one = top_json(client_, "clicks", 1);
    ASSERT_TRUE(one.has_value());
    EXPECT_EQ(std::count(one.value().begin(), one.value().end(), '{'), 2);
}

TEST_F(MetricsReader, AnomaliesAreNewestFirstAndFilteredByTheirLastWord) {
    auto report = [this](const char* id, const char* state) {
        ASSERT_TRUE(client_
                        .command({"XADD", "anomalies", "*", "id", id, "rule", "ctr", "entity", "ad",
                                  "entity_id", "1", "state", state})
                        .has_value());
    };
    report("i-1", "OPEN");
    report("i-2", "OPEN");
    report("i-1", "RESOLVED");
    auto all = anomalies_json(client_, "", 2);
    ASSERT_TRUE(all.has_value());
    EXPECT_LT(all.value().find("RESOLVED"), all.value().find("i-2"));
    auto open = anomalies_json(client_, "OPEN", 10);
    ASSERT_TRUE(open.has_value());
    EXPECT_NE(open.value().find("i-2"), std::string::npos);
    EXPECT_EQ(open.value().find("i-1"), std::string::npos);
}

}  // namespace
}  // namespace adtally::metrics_api
