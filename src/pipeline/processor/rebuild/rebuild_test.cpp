// A log in memory beside a real Redis that the real flush script has filled from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/rebuild/comparison.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/redis_store.hpp"
#include "pipeline/processor/test_events.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::rebuild {
namespace {

using domain::EventType;
using processor::TestEvent;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int32_t partitions = 2;

class RebuildTest : public testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<redis::RedisServer>(); }
    static void TearDownTestSuite() { server.reset(); }
    void SetUp() override {
        tell({"FLUSHALL"});
        for (Partition at{0}; at.value < partitions; ++at.value) {
            states.emplace_back(at, processor::Aggregator{domain::ReportingZone::utc()},
                                processor::Deduplicator{window, processor::random_hash_key()});
            states.back().reset_to(Offset{0}, Offset{0}, true);
        }
        clock.set_wall(TimestampMs{TestEvent{}.time_ms});
        ASSERT_TRUE(store.bind_log("log-1"));
    }

    void tell(std::initializer_list<std::string_view> words) {
        const auto reply = client.command(words);
        ASSERT_TRUE(reply.has_value());
        ASSERT_FALSE(reply.value().is_error()) << reply.value().text;
    }
    std::string get(const std::string& key) { return client.command({"GET", key}).value().text; }

    // Appends and counts them as a processor does.
    void count(std::vector<TestEvent> events) {
        for (TestEvent& event : events) {
            event.received_ms = clock.wall().value;
            const Partition to = eventlog::partition_of(std::to_string(event.ad), partitions);
            log.put(to.value, clock.wall(), record(event));
        }
        const auto reader = std::move(log.reader("ad-events").value());
        for (processor::PartitionState& state : states) {
            eventlog::FetchedBatch batch;
            const auto ends = reader->watermarks(state.partition()).value();
            ASSERT_TRUE(reader->read(state.partition(), state.next(), ends.end, batch));
            for (const auto& each : batch.records)
                state.process(each, tools);
            if (!state.pending())
                continue;
            const auto flush = state.flush();
            const auto outcomes = store.apply({&flush, 1}, {});
            ASSERT_TRUE(outcomes.has_value());
            ASSERT_EQ(outcomes.value()[0].kind, processor::FlushOutcome::Kind::applied);
            state.mark_flushed();
        }
    }
    Result<ComparisonReport> rebuild(Scope scope = {}, bool apply = false, bool reprice = false) {
        differences.clear();
        RecountOptions recounting;
        recounting.dedup_window = window;
        recounting.on_progress = [this](std::int64_t, std::int64_t) { meanwhile(); };
        Recount recount(log, scope, recounting);
        ComparisonOptions options;
        options.rules = rules;
        options.apply = apply;
        options.reprice = reprice;
        options.on_difference = [this](const Difference& each) {
            differences.push_back(each.key + " " + std::to_string(each.stored) + " " +
                                  std::to_string(each.recounted));
        };
        return Comparison(client, recount, clock, options).run();
    }

    static std::unique_ptr<redis::RedisServer> server;
    static constexpr Milliseconds window{600'000};
    redis::Client client = server->client();
    processor::fakes::MemoryLog log{partitions};
    ManualClock clock{TimestampMs{0}};
    CrashPoints crash_points;
    processor::Tools tools;
    std::vector<processor::PartitionState> states;
    const redis_sink::CountingRules rules{"UTC", window.count() / 1000};
    redis_sink::RedisStore store{server->client_options(), "ad-events", clock, crash_points, rules};
    std::vector<std::string> differences;
    std::function<void()> meanwhile = [] {};  // while the log is counted again
};

std::unique_ptr<redis::RedisServer> RebuildTest::server;

// Two ads of one campaign, in different partitions; an event of the hour before; a duplicate.
std::vector<TestEvent> some_events() {
    const std::int64_t noon = TestEvent{}.time_ms;
    return {{.ad = 1, .id = "a", .cost_micros = 10},
            {.ad = 2, .id = "b", .cost_micros = 20},
            {.ad = 1, .id = "a", .cost_micros = 10},
            {.type = EventType::click, .ad = 1, .id = "a"},
            {.ad = 1, .id = "c", .time_ms = noon - hour_ms},
            {.type = EventType::conversion, .ad = 5, .id = "d"}};
}

TEST_F(RebuildTest, FindsNothingWhereCountsAreRight) {
    count(some_events());
    const auto report = rebuild().value();
    EXPECT_EQ(report.differences, 0);
    EXPECT_EQ(report.counters,
              5 * (3 + 1 + 4 + 3) + 3 * 4);  // ads, campaign, hours, days; undated hours
    EXPECT_TRUE(report.shadow_key.empty());
}

TEST_F(RebuildTest, TellsWhatDiffersAndCorrectsItWhenAsked) {
    count(some_events());
    tell({"INCRBY", "ad:metrics:1:clicks", "4"});
    tell({"DEL", "campaign:metrics:1:impressions"});
    tell({"DECRBY", "hourly:metrics:1:2024-01-15T14:impressions", "1"});
    tell({"SET", "hourly:metrics:1:14:impressions", "8"});
    tell({"SET", "daily:metrics:2:2024-01-15:cost_nanos", "7"});
    tell({"SET", "ad:metrics:99:impressions", "3"});  // an ad that the log does not know
    const auto found = rebuild().value();
    EXPECT_THAT(differences, UnorderedElementsAre("ad:metrics:1:clicks 5 1",
                                                  "campaign:metrics:1:impressions 0 3",
                                                  "hourly:metrics:1:2024-01-15T14:impressions 0 1",
                                                  "hourly:metrics:1:14:impressions 8 1",
                                                  "daily:metrics:2:2024-01-15:cost_nanos 7 20000",
                                                  "ad:metrics:99:impressions 3 0"));
    EXPECT_EQ(found.differences, 6);
    EXPECT_EQ(found.corrected, 0);
    EXPECT_EQ(get("ad:metrics:1:clicks"), "5") << "nothing is changed unasked";
    const auto shadow = client.command({"HGET", found.shadow_key, "ad:metrics:1:clicks"}).value();
    EXPECT_EQ(shadow.text, "1");

    EXPECT_EQ(rebuild({}, true).value().corrected, 6);
    EXPECT_EQ(rebuild().value().differences, 0);
    EXPECT_EQ(get("ad:metrics:1:ctr"), "0.500000");
    EXPECT_EQ(get("campaign:metrics:1:ctr"), "0.333333");
    EXPECT_EQ(get("ad:metrics:99:ctr"), "");
    EXPECT_EQ(get("hourly:metrics:1:14:impressions"), "1");
    EXPECT_GT(client.command({"TTL", "hourly:metrics:1:2024-01-15T14:impressions"}).value().integer,
              0);
    const auto score = client.command({"ZSCORE", "top:ads:clicks", "1"}).value();
    EXPECT_EQ(score.text, "1");
}

TEST_F(RebuildTest, CorrectsOneAdAlone) {
    count(some_events());
    tell({"INCRBY", "ad:metrics:1:clicks", "4"});
    tell({"INCRBY", "ad:metrics:2:clicks", "4"});
    EXPECT_EQ(rebuild({.ad = 1, .day = {}}, true).value().corrected, 1);
    EXPECT_EQ(get("ad:metrics:1:clicks"), "1");
    EXPECT_EQ(get("ad:metrics:2:clicks"), "4");
}

TEST_F(RebuildTest, CountsADayThoughTheBeginningIsGone) {
    count({{.ad = 1, .id = "old"}});
    constexpr std::int64_t day_ms = 24 * hour_ms;
    clock.advance(Milliseconds{2 * day_ms});
    std::vector<TestEvent> events = some_events();
    for (TestEvent& event : events)
        event.time_ms += 2 * day_ms;
    count(events);
    const Partition gone = eventlog::partition_of("1", partitions);
    log.expire_before(gone.value, 1);
    const auto whole = rebuild();
    ASSERT_FALSE(whole.has_value());
    EXPECT_EQ(whole.error().code, ErrorCode::conflict);
    EXPECT_THAT(whole.error().message, HasSubstr("--day"));
    tell({"INCRBY", "daily:metrics:1:2024-01-17:clicks", "1"});
    tell({"INCRBY", "ad:metrics:1:clicks", "1"});
    const Scope day{.ad = {}, .day = domain::parse_day("2024-01-17")};
    // The first record that is left is of that day: what was before it is not known.
    EXPECT_THAT(rebuild(day).error().message, HasSubstr("choose a later --day"));
    const Scope next{.ad = {}, .day = domain::parse_day("2024-01-18")};
    EXPECT_EQ(rebuild(next).value().differences, 0);
    log.expire_before(gone.value, 0);
    EXPECT_EQ(rebuild(day).value().differences, 1);
    EXPECT_THAT(differences, UnorderedElementsAre("daily:metrics:1:2024-01-17:clicks 2 1"));
}

TEST_F(RebuildTest, LeavesCostsAloneThatBidsMayHaveMade) {
    count(some_events());
    eventlog::RecordBatch bids;
    bids.add("1", R"({"campaign_id":1,"model":"CPM","bid_micros":2500})");
    log.append("ad-catalog", std::move(bids), [](const Status&) {});
    tell({"INCRBY", "ad:metrics:1:cost_nanos", "4"});
    const auto report = rebuild({}, true).value();
    EXPECT_EQ(report.unpriced, 1);
    EXPECT_EQ(report.corrected, 0);
    EXPECT_EQ(rebuild({}, true, true).value().corrected, 1);
    EXPECT_EQ(rebuild().value().differences, 0);
}

TEST_F(RebuildTest, ChangesNothingWhereSomethingForeignStands) {
    count(some_events());
    tell({"SET", "ad:metrics:1:clicks", "many"});
    tell({"INCRBY", "ad:metrics:2:clicks", "4"});
    const auto refused = rebuild({}, true);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(refused.error().message, HasSubstr("ad:metrics:1:clicks"));
    EXPECT_EQ(get("ad:metrics:2:clicks"), "4");
}

TEST_F(RebuildTest, ChangesNothingOnceRedisHasLostTheShadow) {
    redis_sink::Corrections corrections;
    corrections.ads.push_back({1, {1, 0, 0, {}, {}}});
    tell({"SET", "lease", "us"});
    const Status done =
        redis_sink::apply_corrections(client, {"adtally:rebuild:1", "lease", "us"}, corrections);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::conflict);
    EXPECT_EQ(get("ad:metrics:1:impressions"), "");
}

TEST_F(RebuildTest, ChangesNothingOnceAnotherHasTheLease) {
    redis_sink::Corrections corrections;
    corrections.ads.push_back({1, {1, 0, 0, {}, {}}});
    tell({"HSET", "adtally:rebuild:1", "x", "1"});
    for (const std::string_view holder : {"another", ""}) {
        if (holder.empty())
            tell({"DEL", "lease"});
        else
            tell({"SET", "lease", holder});
        const Status done = redis_sink::apply_corrections(
            client, {"adtally:rebuild:1", "lease", "us"}, corrections);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, ErrorCode::conflict);
    }
    EXPECT_EQ(get("ad:metrics:1:impressions"), "");
}

TEST_F(RebuildTest, CorrectsOneAtATime) {
    count(some_events());
    tell({"INCRBY", "ad:metrics:1:clicks", "4"});
    Lease other(client, redis_sink::keys::rebuild_lease("ad-events"), clock);
    ASSERT_TRUE(other.take());
    const auto refused = rebuild({}, true);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("another rebuild --apply runs"));
    EXPECT_EQ(get("ad:metrics:1:clicks"), "5");
    EXPECT_EQ(rebuild().value().differences, 1) << "who only compares waits for nobody";
}

TEST_F(RebuildTest, ALeaseIsGivenBackRenewedAndLost) {
    const std::string key = redis_sink::keys::rebuild_lease("ad-events");
    {
        Lease first(client, key, clock);
        ASSERT_TRUE(first.take());
        tell({"PEXPIRE", key, "5000"});
        ASSERT_TRUE(first.renew());
        EXPECT_LE(client.command({"PTTL", key}).value().integer, 5000) << "it is not time yet";
        clock.advance(Lease::lifetime / 2);
        ASSERT_TRUE(first.renew());
        EXPECT_GT(client.command({"PTTL", key}).value().integer, 5000);
    }
    EXPECT_EQ(get(key), "");
    Lease slept(client, key, clock);
    ASSERT_TRUE(slept.take());
    tell({"DEL", key});  // as it expires
    Lease next(client, key, clock);
    ASSERT_TRUE(next.take());
    clock.advance(Lease::lifetime / 2);
    EXPECT_EQ(slept.renew().error().code, ErrorCode::conflict);
    EXPECT_EQ(get(key), next.holder());
}

TEST_F(RebuildTest, SetsTheUndatedHourToTheDatedOne) {
    count(some_events());
    // Only the dated one is wrong: what is added to it was never missing in the other.
    tell({"DEL", "hourly:metrics:1:2024-01-15T14:impressions"});
    EXPECT_EQ(rebuild({}, true).value().corrected, 1);
    EXPECT_EQ(get("hourly:metrics:1:14:impressions"), "1");
    // Only the undated one.
    tell({"SET", "hourly:metrics:1:14:clicks", "9"});
    EXPECT_EQ(rebuild({}, true).value().corrected, 1);
    EXPECT_EQ(get("hourly:metrics:1:14:clicks"), "1");
    EXPECT_EQ(get("hourly:metrics:1:2024-01-15T14:clicks"), "1");
    // It is gone, and the day that it held.
    tell({"DEL", "hourly:metrics:1:14:impressions", "hourly:metrics:1:14:clicks",
          "hourly:metrics:1:14:day"});
    EXPECT_EQ(rebuild({}, true).value().corrected, 2);
    EXPECT_EQ(get("hourly:metrics:1:14:impressions"), "1");
    EXPECT_EQ(get("hourly:metrics:1:14:day"), "2024-01-15");
    EXPECT_GT(client.command({"TTL", "hourly:metrics:1:14:impressions"}).value().integer, 0);
    EXPECT_EQ(rebuild().value().differences, 0);
    // A newer day's is nobody's business.
    clock.advance(Milliseconds{24 * hour_ms});
    count({{.ad = 1, .id = "e", .time_ms = clock.wall().value},
           {.ad = 1, .id = "f", .time_ms = clock.wall().value}});
    tell({"INCR", "hourly:metrics:1:2024-01-15T14:impressions"});
    EXPECT_EQ(rebuild({}, true).value().corrected, 1);
    EXPECT_EQ(get("hourly:metrics:1:14:impressions"), "2");
    EXPECT_EQ(rebuild().value().differences, 0);
}

TEST_F(RebuildTest, AnUndatedHourThatMayHaveExpiredIsLeftAlone) {
    count(some_events());
    tell({"DEL", "hourly:metrics:1:14:impressions", "hourly:metrics:1:14:day"});
    clock.advance(Milliseconds{47 * hour_ms});
    EXPECT_EQ(rebuild().value().differences, 0);
}

TEST_F(RebuildTest, TellsWhatRedisHasAndTheLogDoesNot) {
    count(some_events());
    tell({"SET", "daily:metrics:7:2024-01-15:clicks", "3"});
    tell({"SET", "hourly:metrics:7:2024-01-15T09:clicks", "2"});
    tell({"SET", "hourly:metrics:7:11:clicks", "1"});
    tell({"SET", "hourly:metrics:7:11:day", "2024-01-15"});
    tell({"SET", "daily:metrics:8:2024-01-16:clicks", "4"});
    const std::vector<std::string> of_seven = {"daily:metrics:7:2024-01-15:clicks 3 0",
                                               "hourly:metrics:7:2024-01-15T09:clicks 2 0",
                                               "hourly:metrics:7:11:clicks 1 0"};
    EXPECT_EQ(rebuild().value().differences, 4);
    EXPECT_EQ(rebuild({.ad = 7, .day = {}}).value().differences, 3);
    EXPECT_THAT(differences, testing::UnorderedElementsAreArray(of_seven));
    const auto day = domain::parse_day("2024-01-15");
    EXPECT_EQ(rebuild({.ad = {}, .day = day}).value().differences, 3);
    EXPECT_THAT(differences, testing::UnorderedElementsAreArray(of_seven));
    const auto named = rebuild({.ad = 7, .day = day}, true).value();
    EXPECT_EQ(named.corrected, 3);
    EXPECT_GE(named.counters, 25 * 5) << "the day and its hours, events or not";
    EXPECT_EQ(get("hourly:metrics:7:11:clicks"), "");
    EXPECT_EQ(rebuild({.ad = 7, .day = day}).value().differences, 0);
}

TEST_F(RebuildTest, ReadsCountsBelowZero) {
    count(some_events());
    tell({"SET", "ad:metrics:1:clicks", "-5"});
    tell({"SET", "ad:metrics:5:clicks", "-2"});
    EXPECT_EQ(rebuild({}, true).value().corrected, 2);
    EXPECT_THAT(differences,
                UnorderedElementsAre("ad:metrics:1:clicks -5 1", "ad:metrics:5:clicks -2 0"));
    EXPECT_EQ(get("ad:metrics:1:clicks"), "1");
    EXPECT_EQ(get("ad:metrics:5:clicks"), "0");
}

TEST_F(RebuildTest, RefusesARedisThatHoldsOtherCounts) {
    const auto refusal = [this] {
        const auto report = rebuild({}, true);
        return report ? "none" : report.error().message;
    };
    EXPECT_THAT(refusal(), HasSubstr("was ever counted in this Redis"));
    EXPECT_THAT(refusal(), HasSubstr("check --redis-url"));
    count(some_events());
    EXPECT_EQ(refusal(), "none");
    const auto offset = get("adtally:offset:ad-events:0");
    tell({"DEL", "adtally:offset:ad-events:0"});
    EXPECT_THAT(refusal(), HasSubstr("adtally:offset:ad-events:0 is missing"));
    tell({"SET", "adtally:offset:ad-events:0", offset});
    EXPECT_EQ(refusal(), "none");
    tell({"SET", "adtally:log:ad-events", "log-2"});
    EXPECT_THAT(refusal(), HasSubstr("another log (log-2, this is log-1): check --redis-url"));
    tell({"DEL", "adtally:log:ad-events"});
    EXPECT_THAT(refusal(), HasSubstr("check --redis-url"));
    tell({"SET", "adtally:log:ad-events", "log-1"});
    tell({"DEL", "adtally:rules:ad-events"});
    EXPECT_THAT(refusal(), HasSubstr("have not said by which zone"));
}

TEST_F(RebuildTest, RefusesToCountByOtherRules) {
    count(some_events());
    tell({"INCRBY", "ad:metrics:1:clicks", "4"});
    tell({"HSET", "adtally:rules:ad-events", "zone", "+08:00"});
    EXPECT_THAT(rebuild({}, true).error().message,
                HasSubstr("--set processor.reporting-zone=+08:00"));
    tell({"HSET", "adtally:rules:ad-events", "zone", "UTC", "dedup_window_s", "60"});
    EXPECT_THAT(rebuild({}, true).error().message, HasSubstr("--set processor.dedup-window-s=60"));
    EXPECT_EQ(get("ad:metrics:1:clicks"), "5");
}

TEST_F(RebuildTest, ChangesNothingOnceProcessorsCountByOtherRules) {
    count(some_events());
    tell({"INCRBY", "ad:metrics:1:clicks", "4"});
    meanwhile = [this] { tell({"HSET", "adtally:rules:ad-events", "zone", "+08:00"}); };
    const auto refused = rebuild({}, true);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
    EXPECT_EQ(get("ad:metrics:1:clicks"), "5");
    EXPECT_TRUE(differences.empty());
}

TEST_F(RebuildTest, CountsOnlyDaysAgainThatBeganAfterTheRulesWereChanged) {
    count(some_events());
    redis_sink::RedisStore changed{server->client_options(), "ad-events", clock, crash_points,
                                   redis_sink::CountingRules{"+08:00", 600}};
    ASSERT_TRUE(changed.bind_log("log-1"));
    clock.advance(Milliseconds{hour_ms});
    ASSERT_TRUE(store.bind_log("log-1"));
    ASSERT_TRUE(store.bind_log("log-1"));
    EXPECT_THAT(rebuild().error().message, HasSubstr("was changed at 2024-01-15T15:03"));
    EXPECT_FALSE(rebuild({.ad = {}, .day = domain::parse_day("2024-01-15")}).has_value());
    EXPECT_TRUE(rebuild({.ad = {}, .day = domain::parse_day("2024-01-16")}).has_value());
}

// Dead-lettered by the version of then, taken by today's decoder; its redriven copy came later.
TEST_F(RebuildTest, ARecordThatWasADeadLetterIsNoEvent) {
    const TestEvent event{.ad = 7, .id = "mended"};
    const Partition at = eventlog::partition_of("7", partitions);
    processor::OffsetRanges dead_lettered;
    dead_lettered.add(Offset{0});
    states[static_cast<std::size_t>(at.value)].recall(dead_lettered);
    count({event});
    tell({"ZADD", redis_sink::keys::dead_lettered("ad-events", at), "0", "0-0"});
    clock.set_wall(TimestampMs{clock.wall().value + 25 * hour_ms});
    count({event});
    EXPECT_EQ(get("ad:metrics:7:impressions"), "1");
    EXPECT_EQ(rebuild().value().differences, 0);
}

}  // namespace
}  // namespace adtally::rebuild
