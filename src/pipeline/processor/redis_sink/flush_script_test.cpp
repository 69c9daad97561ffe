// The flush script against a real Redis: guard, counts, ratios, hours, and what it refuses.
#include "pipeline/processor/redis_sink/flush_script.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <random>

#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/test_support.hpp"

namespace adtally::redis_sink {
namespace {

using domain::EventType;
using processor::Aggregator;
using processor::Books;
using processor::Deltas;
using processor::Flush;
using processor::FlushOutcome;
using processor::TestEvent;
using Kind = FlushOutcome::Kind;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

class FlushScript : public RedisStoreTest {
protected:
    void add(const TestEvent& from, std::int64_t nanos = 0) {
        domain::Event event = to_event(from);
        aggregator_.add(event, domain::Nanos{nanos});
        events_ += 1;
    }
    // Flushes what was added as the partition's next step.
    FlushOutcome flush() {
        FlushOutcome outcome = flush_at(next_, next_ + events_, next_ == 0);
        if (outcome.kind == Kind::applied) {
            next_ += events_;
            events_ = 0;
            aggregator_.clear();
        }
        return outcome;
    }
    FlushOutcome flush_at(std::int64_t start, std::int64_t end, bool first) {
        aggregator_.roll_up(deltas_);
        Books books;
        books.counted = end - start;
        Flush step{Partition{0}, Offset{start}, Offset{end}, first, books, &deltas_};
        auto outcomes = store_.apply({&step, 1}, thresholds_);
        EXPECT_TRUE(outcomes.has_value()) << outcomes.error().message;
        return outcomes ? outcomes.value().at(0) : FlushOutcome{};
    }
    std::vector<redis::Reply> anomalies() {
        return run({"XRANGE", "anomalies", "-", "+"}).elements;
    }
    static std::string field(const redis::Reply& entry, std::string_view name) {
        const auto& fields = entry.elements.at(1).elements;
        for (std::size_t i = 0; i + 1 < fields.size(); i += 2)
            if (fields[i].text == name)
                return fields[i + 1].text;
        return "absent";
    }

    Aggregator aggregator_{domain::ReportingZone::utc()};
    Deltas deltas_;
    std::int64_t next_ = 0;
    std::int64_t events_ = 0;
};

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

TEST_F(FlushScript, ASessionIsReportedOnceWhenItCrossesTheLimit) {
    for (int i = 0; i < 10; ++i)
        add({.type = EventType::click, .time_ms = noon + i, .session = "s-1"});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_TRUE(anomalies().empty());
    add({.type = EventType::click, .time_ms = noon + 20, .session = "s-1"});
    add({.type = EventType::click, .time_ms = noon + 30, .session = "s-1"});
    ASSERT_EQ(flush().kind, Kind::applied);
    add({.type = EventType::click, .time_ms = noon + 40, .session = "s-1"});
    ASSERT_EQ(flush().kind, Kind::applied);
    auto told = anomalies();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(field(told[0], "rule"), "session_clicks");
    EXPECT_EQ(field(told[0], "entity_id"), "s-1");
    EXPECT_EQ(field(told[0], "observed"), "12");
    EXPECT_EQ(get("session:clicks:s-1"), "13");
}

TEST_F(FlushScript, CtrOpensAboveTenPercentWithEnoughImpressionsAndResolvesBelowEight) {
    auto impressions = [this](int count, std::int64_t at) {
        for (int i = 0; i < count; ++i)
            add({.ad = 5, .campaign = 6, .time_ms = at});
    };
    auto clicks = [this](int count, std::int64_t at) {
        for (int i = 0; i < count; ++i)
            add({.type = EventType::click, .ad = 5, .campaign = 6, .time_ms = at});
    };
    impressions(99, noon);
    clicks(50, noon);
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_TRUE(anomalies().empty()) << "99 impressions mean nothing yet";
    impressions(1, noon + 1'000);
    ASSERT_EQ(flush().kind, Kind::applied);
    auto told = anomalies();
    ASSERT_EQ(told.size(), 2u) << "the ad and its campaign";
    EXPECT_EQ(field(told[0], "state"), "OPEN");
    EXPECT_EQ(field(told[0], "observed"), "0.500000");
    EXPECT_EQ(field(told[0], "threshold"), "0.100000");
    impressions(400, noon + 2'000);
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(anomalies().size(), 2u) << "10 % is not below 8 %: still open, nothing said twice";
    impressions(200, noon + 3'000);
    ASSERT_EQ(flush().kind, Kind::applied);
    told = anomalies();
    ASSERT_EQ(told.size(), 4u);
    EXPECT_EQ(field(told[2], "state"), "RESOLVED");
    EXPECT_EQ(field(told[2], "id"), field(told[0], "id"));
    EXPECT_EQ(run({"SCARD", keys::open_incidents}).integer, 0);
}

TEST_F(FlushScript, TheCtrWindowSlidesWithEventTime) {
    for (int i = 0; i < 100; ++i)
        add({.time_ms = noon});
    for (int i = 0; i < 5; ++i)
        add({.type = EventType::click, .time_ms = noon});
    ASSERT_EQ(flush().kind, Kind::applied);
    // Five minutes later the old bucket is out: 100 new impressions with 11 clicks stand alone.
    for (int i = 0; i < 100; ++i)
        add({.time_ms = noon + 300'000});
    for (int i = 0; i < 11; ++i)
        add({.type = EventType::click, .time_ms = noon + 300'000});
    ASSERT_EQ(flush().kind, Kind::applied);
    auto told = anomalies();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(field(told[0], "observed"), "0.110000");
    EXPECT_EQ(field(told[0], "impressions"), "100");
    add({.type = EventType::click, .time_ms = noon});  // five minutes late: counts, opens nothing
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(anomalies().size(), 2u);
    EXPECT_EQ(get("ad:metrics:1:clicks"), "17");
}

TEST_F(FlushScript, TheSweepClosesWhatWentQuiet) {
    for (int i = 0; i < 100; ++i)
        add({.time_ms = noon});
    add({.time_ms = noon - 10'000});
    for (int i = 0; i < 20; ++i)
        add({.type = EventType::click, .time_ms = noon});
    ASSERT_EQ(flush().kind, Kind::applied);
    ASSERT_EQ(anomalies().size(), 2u);
    redis::Script sweep(sweep_script_source());
    std::string_view names[] = {keys::open_incidents, keys::anomalies, keys::ad_windows,
                                keys::campaign_windows};
    auto closed_at = [&](std::int64_t now) {
        std::string at = std::to_string(now);
        std::string_view arguments[] = {at, "300000", "0", "0"};
        auto reply = redis::evaluate(client_, sweep, names, arguments);
        EXPECT_TRUE(reply.has_value() && reply.value().elements.size() == 3);
        return reply && !reply.value().elements.empty() ? reply.value().elements[0].integer : -1;
    };
    EXPECT_EQ(closed_at(clock_.wall().value + 200'000), 0);
    EXPECT_EQ(closed_at(clock_.wall().value + 400'000), 2);
    EXPECT_EQ(closed_at(clock_.wall().value + 400'000), 0);
    EXPECT_EQ(field(anomalies().back(), "state"), "RESOLVED");
    EXPECT_EQ(run({"HLEN", keys::ad_windows}).integer, 2);
    EXPECT_EQ(closed_at(clock_.wall().value + 3'700'000), 0);
    EXPECT_EQ(run({"HLEN", keys::ad_windows}).integer, 0) << "forgotten after an hour";
}

// The packed windows against the definition: sums over (newest - 5 min, newest], event by event.
TEST_F(FlushScript, WindowsAgreeWithTheDefinitionOnRandomStreams) {
    std::mt19937_64 random(11);
    std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> buckets;
    std::int64_t newest = 0;
    std::int64_t time = noon;
    for (int step = 0; step < 120; ++step) {
        int events = static_cast<int>(random() % 20) + 1;
        std::vector<std::int64_t> arrived;
        for (int i = 0; i < events; ++i) {
            time += static_cast<std::int64_t>(random() % 8'000);
            bool late = random() % 4 == 0;
            std::int64_t at = late ? time - static_cast<std::int64_t>(random() % 400'000) : time;
            bool click = random() % 8 == 0;
            add({.type = click ? EventType::click : EventType::impression, .time_ms = at});
            arrived.push_back(click ? -at : at);
        }
        ASSERT_EQ(flush().kind, Kind::applied);
        std::sort(arrived.begin(), arrived.end(), [](std::int64_t a, std::int64_t b) {
            return std::abs(a) < std::abs(b);  // a flush's buckets come in their order
        });
        for (std::int64_t signed_at : arrived) {
            std::int64_t bucket = std::abs(signed_at) / 10'000;
            newest = std::max(newest, bucket);
            if (bucket > newest - 30) {
                auto& [impressions, clicks] = buckets[bucket];
                (signed_at < 0 ? clicks : impressions) += 1;
            }
            std::erase_if(buckets, [&](const auto& entry) { return entry.first <= newest - 30; });
        }
        std::int64_t impressions = 0;
        std::int64_t clicks = 0;
        for (const auto& [bucket, counts] : buckets) {
            impressions += counts.first;
            clicks += counts.second;
        }
        std::string packed = run({"HGET", keys::ad_windows, "1"}).text;
        EXPECT_TRUE(packed.starts_with(std::to_string(newest) + ";" + std::to_string(impressions) +
                                       ";" + std::to_string(clicks) + ";"))
            << "step " << step << ": " << packed << " is not " << impressions << ", " << clicks;
    }
}

TEST_F(FlushScript, OlderBucketsLieBesideTheWindowAndLeaveWithIt) {
    add({.time_ms = noon});
    ASSERT_EQ(flush().kind, Kind::applied);
    add({.time_ms = noon + 10'000});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(run({"HGET", keys::ad_windows, "1:closed"}).text,
              std::to_string(noon / 10'000) + "=1,0 ");
    add({.time_ms = noon + 10'000});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_TRUE(run({"HGET", keys::ad_windows, "1"})
                    .text.starts_with(std::to_string(noon / 10'000 + 1) + ";3;0;2;0;"));
    add({.time_ms = noon + 3'600'000});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_EQ(run({"HEXISTS", keys::ad_windows, "1:closed"}).integer, 0) << "all left the window";
}

TEST_F(FlushScript, TheBucketsOfAnOlderVersionsWindowAreTakenOver) {
    const std::string head = std::to_string(noon / 10'000);
    const std::string before = std::to_string(noon / 10'000 - 1);
    (void)run({"HSET", keys::ad_windows, "1", head + ";7;0;2;0;1;;" + before + "=5,0 "});
    add({.time_ms = noon});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_TRUE(run({"HGET", keys::ad_windows, "1"}).text.starts_with(head + ";8;0;3;0;"));
    EXPECT_EQ(run({"HGET", keys::ad_windows, "1:closed"}).text, before + "=5,0 ");
    add({.time_ms = noon + 10'000});
    ASSERT_EQ(flush().kind, Kind::applied);
    EXPECT_TRUE(run({"HGET", keys::ad_windows, "1"})
                    .text.starts_with(std::to_string(noon / 10'000 + 1) + ";9;0;1;0;"));
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
