// The rules of anomalies in the flush script, and the sweep, against a real Redis.
#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <random>

#include "pipeline/processor/redis_sink/flush_script.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/test_support.hpp"

namespace adtally::redis_sink {
namespace {

using domain::EventType;
using Kind = processor::FlushOutcome::Kind;

class AnomalyScript : public OnePartitionTest {
protected:
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
};

TEST_F(AnomalyScript, ASessionIsReportedOnceWhenItCrossesTheLimit) {
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

TEST_F(AnomalyScript, CtrOpensAboveTenPercentWithEnoughImpressionsAndResolvesBelowEight) {
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

TEST_F(AnomalyScript, TheCtrWindowSlidesWithEventTime) {
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

TEST_F(AnomalyScript, TheSweepClosesWhatWentQuiet) {
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
TEST_F(AnomalyScript, WindowsAgreeWithTheDefinitionOnRandomStreams) {
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

TEST_F(AnomalyScript, OlderBucketsLieBesideTheWindowAndLeaveWithIt) {
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

TEST_F(AnomalyScript, TheBucketsOfAnOlderVersionsWindowAreTakenOver) {
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

}  // namespace
}  // namespace adtally::redis_sink
