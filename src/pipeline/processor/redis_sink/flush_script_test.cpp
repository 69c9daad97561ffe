// The flush script against a real Redis: guard, counts, ratios, hours, and what it refuses.
#include "pipeline/processor/redis_sink/flush_script.hpp"

#include <gtest/gtest.h>
#include <random>

#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/test_support.hpp"

namespace adtally::redis_sink {
namespace {

using domain::EventType;
using processor::Books;
using processor::Deltas;
using processor::Flush;
using processor::FlushOutcome;
using Kind = FlushOutcome::Kind;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

class FlushScript : public OnePartitionTest {};

TEST_F(FlushScript, WritesTheKeysOfTheDesign) {
    add({.ad = 1, .campaign = 9, .time_ms = noon}, 2'500'000);
    add({.type = EventType::click, .ad = 1, .campaign = 9, .time_ms = noon}, 0);
    add({.ad = 1, .campaign = 9, .time_ms = noon}, 2'500'000);
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("ad:metrics:1:impressions"), "2");
    EXPECT_EQ(get("ad:metrics:1:clicks"), "1");
    EXPECT_EQ(get("ad:metrics:1:conversions"), "absent");
    EXPECT_EQ(get("ad:metrics:1:cost_nanos"), "5000000");
    EXPECT_EQ(get("ad:metrics:1:ctr"), "0.500000");
    EXPECT_EQ(get("ad:metrics:1:cpc"), "0.005000");
    EXPECT_EQ(get("ad:metrics:1:cpm"), "2.500000");
    EXPECT_EQ(get("campaign:metrics:9:impressions"), "2");
    EXPECT_EQ(get("campaign:metrics:9:ctr"), "0.500000");
    EXPECT_EQ(get("hourly:metrics:1:12:impressions"), "2");
    EXPECT_EQ(get("hourly:metrics:1:12:day"), "2024-01-15");
    EXPECT_EQ(get("hourly:metrics:1:2024-01-15T12:impressions"), "2");
    EXPECT_EQ(get("daily:metrics:1:2024-01-15:clicks"), "1");
    EXPECT_EQ(get("daily:metrics:1:2024-01-15:cost_nanos"), "5000000");
    EXPECT_EQ(get("adtally:offset:ad-events:0"), "3");
    auto ttl = [this](std::string_view key) { return run({"TTL", key}).integer; };
    EXPECT_EQ(ttl("ad:metrics:1:impressions"), -1);
    EXPECT_NEAR(static_cast<double>(ttl("hourly:metrics:1:12:impressions")), 48 * 3600, 60);
    EXPECT_NEAR(static_cast<double>(ttl("hourly:metrics:1:2024-01-15T12:clicks")), 35 * 86400, 60);
    EXPECT_NEAR(static_cast<double>(ttl("daily:metrics:1:2024-01-15:clicks")), 400.0 * 86400, 60);
}

TEST_F(FlushScript, RatiosAreAbsentOnAZeroDenominator) {
    add({.type = EventType::conversion});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("ad:metrics:1:ctr"), "absent");
    EXPECT_EQ(get("ad:metrics:1:cpc"), "absent");
    EXPECT_EQ(get("ad:metrics:1:cpm"), "absent");
    add({.type = EventType::click}, 7'000);
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("ad:metrics:1:ctr"), "absent");
    EXPECT_EQ(get("ad:metrics:1:cpc"), "0.000007");
}

TEST_F(FlushScript, AppliesOnlyAtTheStoredOffset) {
    add({});
    EXPECT_EQ(flush_at(5, 6, false).kind, Kind::conflict);
    ASSERT_EQ(flush_at(0, 1, true).kind, Kind::applied);
    EXPECT_EQ(flush_at(0, 1, true).kind, Kind::conflict);
    FlushOutcome zombie = flush_at(0, 2, false);  // overlaps, ends beyond: must not count
    EXPECT_EQ(zombie.kind, Kind::conflict);
    ASSERT_TRUE(zombie.stored.has_value());
    EXPECT_EQ(zombie.stored->value, 1);
    EXPECT_EQ(get("ad:metrics:1:impressions"), "1");
    ASSERT_EQ(flush_at(1, 2, false).kind, Kind::applied);
    EXPECT_EQ(get("ad:metrics:1:impressions"), "2");
}

TEST_F(FlushScript, AMissingOffsetBesideItsBooksIsRefused) {
    add({});
    ASSERT_EQ(flush().kind, Kind::applied);
    (void)run({"DEL", "adtally:offset:ad-events:0"});
    FlushOutcome outcome = flush_at(0, 1, true);
    EXPECT_EQ(outcome.kind, Kind::refused);
    EXPECT_NE(outcome.reason.find("adtally:offset:ad-events:0"), std::string::npos)
        << outcome.reason;
}

TEST_F(FlushScript, AForeignKeyIsRefusedBeforeAnythingIsWritten) {
    struct Case {
        std::initializer_list<std::string_view> spoil;
        std::string key;
    };
    const Case cases[] = {
        {{"LPUSH", "ad:metrics:1:impressions", "x"}, "ad:metrics:1:impressions"},
        {{"SET", "campaign:metrics:1:impressions", "many"}, "campaign:metrics:1:impressions"},
        {{"SET", "ad:metrics:1:impressions", ""}, "ad:metrics:1:impressions"},
        {{"HSET", "daily:metrics:1:2024-01-15:impressions", "a", "b"},
         "daily:metrics:1:2024-01-15:impressions"},
        {{"SADD", "hourly:metrics:1:14:day", "x"}, "hourly:metrics:1:14:day"},
        {{"SET", "adtally:ctr-windows:ad", "x"}, "adtally:ctr-windows:ad"},
        {{"HSET", "adtally:ctr-windows:campaign", "1", "x"}, "adtally:ctr-windows:campaign"},
        {{"SET", "session:clicks:s", "x"}, "session:clicks:s"},
        {{"SET", "anomalies", "x"}, "anomalies"},
        {{"SET", "top:ads:ctr", "x"}, "top:ads:ctr"},
    };
    for (const Case& spoiled : cases) {
        SCOPED_TRACE(spoiled.key);
        (void)run({"FLUSHALL"});
        auto reply = client_.command(spoiled.spoil);
        ASSERT_TRUE(reply.has_value());
        aggregator_.clear();
        add({});
        add({.type = EventType::click, .session = "s"});
        std::int64_t keys_before = run({"DBSIZE"}).integer;
        FlushOutcome outcome = flush_at(0, 2, true);
        EXPECT_EQ(outcome.kind, Kind::refused);
        EXPECT_NE(outcome.reason.find(spoiled.key), std::string::npos) << outcome.reason;
        EXPECT_EQ(run({"DBSIZE"}).integer, keys_before);
    }
}

TEST_F(FlushScript, TheUndatedHourHoldsTheMostRecentDay) {
    add({.time_ms = noon});
    ASSERT_EQ(flush().kind, Kind::applied);
    add({.time_ms = noon + day_ms});
    add({.type = EventType::click, .time_ms = noon + day_ms});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("hourly:metrics:1:12:impressions"), "1");
    EXPECT_EQ(get("hourly:metrics:1:12:clicks"), "1");
    EXPECT_EQ(get("hourly:metrics:1:12:day"), "2024-01-16");
    add({.time_ms = noon - day_ms});  // late: lands in its own dated hour only
    add({.time_ms = noon + day_ms});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("hourly:metrics:1:12:impressions"), "2");
    EXPECT_EQ(get("hourly:metrics:1:2024-01-14T12:impressions"), "1");
    EXPECT_EQ(get("hourly:metrics:1:2024-01-15T12:impressions"), "1");
    EXPECT_EQ(get("hourly:metrics:1:2024-01-16T12:impressions"), "2");
    EXPECT_EQ(get("ad:metrics:1:impressions"), "4");
}

TEST_F(FlushScript, OneFlushMayHoldTwoDaysOfOneHour) {
    add({.time_ms = noon + day_ms});
    add({.time_ms = noon});
    add({.time_ms = noon});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("hourly:metrics:1:12:impressions"), "1");
    EXPECT_EQ(get("hourly:metrics:1:12:day"), "2024-01-16");
}

TEST_F(FlushScript, RatiosAreExactToTheLastPlace) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 300; ++i) {
        (void)run({"FLUSHALL"});
        aggregator_.clear();
        std::int64_t impressions = static_cast<std::int64_t>(random() % 1'000'000'000'000) + 1;
        std::int64_t clicks = static_cast<std::int64_t>(random() % 1'000'000'000) + 1;
        std::int64_t cost = static_cast<std::int64_t>(random() >> (random() % 40 + 1));
        (void)run({"SET", "ad:metrics:1:impressions", std::to_string(impressions - 1)});
        (void)run({"SET", "ad:metrics:1:clicks", std::to_string(clicks - 1)});
        (void)run({"SET", "ad:metrics:1:cost_nanos", std::to_string(cost)});
        add({});
        add({.type = EventType::click});
        ASSERT_EQ(flush_at(0, 2, true).kind, Kind::applied);
        auto expected = [](std::int64_t millionths) {
            std::string digits = std::to_string(millionths);
            digits.insert(0, digits.size() < 7 ? 7 - digits.size() : 0, '0');
            return digits.insert(digits.size() - 6, ".");
        };
        EXPECT_EQ(get("ad:metrics:1:ctr"), expected(domain::ctr_millionths(impressions, clicks)));
        EXPECT_EQ(get("ad:metrics:1:cpc"),
                  expected(domain::cpc_micros(domain::Nanos{cost}, clicks)))
            << cost << " / " << clicks;
        EXPECT_EQ(get("ad:metrics:1:cpm"),
                  expected(domain::cpm_micros(domain::Nanos{cost}, impressions)))
            << cost << " / " << impressions;
    }
}

TEST_F(FlushScript, SumsSaturateAndTotalsComeBackExact) {
    (void)run({"SET", "ad:metrics:1:cost_nanos", "9223372036854775000"});
    add({}, 100);
    FlushOutcome outcome = flush();
    ASSERT_EQ(outcome.kind, Kind::applied);
    EXPECT_EQ(outcome.totals.at(0).values.cost.value, 9'223'372'036'854'775'100);
    add({}, 1'000'000);
    outcome = flush();
    ASSERT_EQ(outcome.kind, Kind::applied);
    EXPECT_EQ(get("ad:metrics:1:cost_nanos"), "9223372036854775807");
    EXPECT_EQ(outcome.totals.at(0).values.cost.value, 9'223'372'036'854'775'807);
}

TEST_F(FlushScript, AnHourOfTheDayExpires48HoursAfterItsLastWrite) {
    auto ttl = [this](std::string_view key) {
        return static_cast<double>(run({"TTL", key}).integer);
    };
    std::int64_t now = clock_.wall().value;
    add({.time_ms = now});
    ASSERT_EQ(flush().kind, Kind::applied);
    std::string prefix = keys::hour_of_day(1, domain::LocalHour{now / hour_ms});
    EXPECT_NEAR(ttl(prefix + "impressions"), 50 * 3600, 60) << "made: good for what may follow";
    EXPECT_NEAR(ttl(prefix + "day"), 50 * 3600, 60);
    (void)run({"EXPIRE", prefix + "impressions", "1000"});
    add({.time_ms = now});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_NEAR(ttl(prefix + "impressions"), 1000, 60) << "not renewed within the hour";
    std::int64_t late = now - 3 * hour_ms;
    std::string late_prefix = keys::hour_of_day(1, domain::LocalHour{late / hour_ms});
    add({.time_ms = late});
    ASSERT_EQ(flush().kind, Kind::applied);
    (void)run({"EXPIRE", late_prefix + "impressions", "1000"});
    add({.time_ms = late});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_NEAR(ttl(late_prefix + "impressions"), 48 * 3600, 60) << "late events renew it";
    EXPECT_NEAR(ttl(late_prefix + "day"), 48 * 3600, 60);
}

TEST_F(FlushScript, BooksAddUpToTheOffset) {
    Deltas none;
    Books books{3, 4, 2, 1};
    Flush step{Partition{0}, Offset{100}, Offset{110}, true, books, &none};
    auto outcomes = store_.apply({&step, 1}, thresholds_);
    ASSERT_TRUE(outcomes.has_value());
    ASSERT_EQ(outcomes.value().at(0).kind, Kind::applied);
    EXPECT_EQ(run({"HGET", "adtally:books:ad-events:0", "base"}).text, "100");
    EXPECT_EQ(run({"HGET", "adtally:books:ad-events:0", "counted"}).text, "3");
    EXPECT_EQ(run({"HGET", "adtally:books:ad-events:0", "duplicates"}).text, "4");
    EXPECT_EQ(run({"HGET", "adtally:books:ad-events:0", "dead_lettered"}).text, "2");
    EXPECT_EQ(run({"HGET", "adtally:books:ad-events:0", "expired"}).text, "1");
    EXPECT_EQ(get("adtally:offset:ad-events:0"), "110");
}

TEST_F(FlushScript, SurvivesAScriptFlush) {
    add({});
    ASSERT_EQ(flush().kind, Kind::applied);
    (void)run({"SCRIPT", "FLUSH"});
    add({});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(get("ad:metrics:1:impressions"), "2");
}

TEST_F(FlushScript, AThousandAdsInOneFlush) {
    for (std::int64_t ad = 1; ad <= 1'000; ++ad)
        for (int i = 0; i < 3; ++i)
            add({.ad = ad, .campaign = ad % 10 + 1, .time_ms = noon}, ad);
    FlushOutcome outcome = flush();
    ASSERT_EQ(outcome.kind, Kind::applied);
    ASSERT_EQ(outcome.totals.size(), 1'010u);
    EXPECT_EQ(get("ad:metrics:1000:impressions"), "3");
    EXPECT_EQ(get("ad:metrics:1000:cost_nanos"), "3000");
    EXPECT_EQ(get("campaign:metrics:1:impressions"), "300");
}

TEST_F(FlushScript, AStoreIsBoundToOneLog) {
    EXPECT_TRUE(store_.bind_log("log-a").has_value());
    EXPECT_TRUE(store_.bind_log("log-a").has_value());
    auto other = store_.bind_log("log-b");
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().code, ErrorCode::conflict);
}

TEST_F(FlushScript, AnEvictingRedisIsRefused) {
    (void)run({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    auto bound = store_.bind_log("log-a");
    (void)run({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    ASSERT_FALSE(bound.has_value());
    EXPECT_NE(bound.error().message.find("noeviction"), std::string::npos);
}

// The places of dead letters move with the offset: both or neither.
TEST_F(FlushScript, RecordsWhereDeadLettersStoodInTheSameStep) {
    const auto flush_letters = [&](std::int64_t start, std::int64_t end, std::int64_t log_begin,
                                   std::initializer_list<processor::OffsetRange> places) {
        Deltas deltas;
        deltas.dead_letters = places;
        Books books;
        books.dead_lettered = end - start;
        Flush step{Partition{0}, Offset{start}, Offset{end},      start == 0,
                   books,        &deltas,       Offset{log_begin}};
        return store_.apply({&step, 1}, thresholds_).value().at(0).kind;
    };
    const auto recorded = [&](std::int64_t from = 0) {
        return store_.dead_lettered(Partition{0}, Offset{from}).value();
    };
    EXPECT_EQ(recorded().size(), 0u);
    EXPECT_EQ(flush_letters(0, 10, 0, {{Offset{0}, Offset{4}}, {Offset{6}, Offset{9}}}),
              Kind::applied);
    EXPECT_EQ(recorded().size(), 2u);
    EXPECT_TRUE(recorded().contains(Offset{6}));
    EXPECT_FALSE(recorded().contains(Offset{5}));
    EXPECT_EQ(recorded(5).size(), 1u);
    EXPECT_EQ(flush_letters(5, 20, 0, {{Offset{10}, Offset{19}}}), Kind::conflict);
    EXPECT_FALSE(recorded().contains(Offset{12}));
    // What retention has removed is forgotten; a range that reaches beyond it stays.
    EXPECT_EQ(flush_letters(10, 12, 7, {{Offset{11}, Offset{11}}}), Kind::applied);
    EXPECT_FALSE(recorded().contains(Offset{4}));
    EXPECT_TRUE(recorded().contains(Offset{8}));
    EXPECT_TRUE(recorded().contains(Offset{11}));
    (void)run({"SET", "adtally:dead-lettered:ad-events:0", "x"});
    EXPECT_EQ(flush_letters(12, 13, 7, {{Offset{12}, Offset{12}}}), Kind::refused);
    EXPECT_EQ(get("adtally:offset:ad-events:0"), "12");
    EXPECT_EQ(store_.dead_lettered(Partition{0}, Offset{0}).error().code, ErrorCode::corrupt);
}

TEST_F(FlushScript, TakesTensOfThousandsOfPlacesAtOnce) {
    Deltas deltas;
    deltas.dead_letters.reserve(25'000);
    for (std::int64_t i = 0; i < 25'000; ++i)
        deltas.dead_letters.push_back({Offset{2 * i}, Offset{2 * i}});
    Books books;
    books.dead_lettered = 25'000;
    books.duplicates = 25'000;
    Flush step{Partition{0}, Offset{0}, Offset{50'000}, true, books, &deltas, Offset{0}};
    ASSERT_EQ(store_.apply({&step, 1}, thresholds_).value().at(0).kind, Kind::applied);
    EXPECT_EQ(store_.dead_lettered(Partition{0}, Offset{0}).value().size(), 25'000u);
}

}  // namespace
}  // namespace adtally::redis_sink
