// A log in memory beside a real Redis that the real flush script has filled from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/rebuild/comparison.hpp"
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
        Recount recount(log, scope, recounting);
        ComparisonOptions options;
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
    redis_sink::RedisStore store{server->client_options(), "ad-events", clock, crash_points};
    std::vector<std::string> differences;
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
    EXPECT_EQ(report.counters, 5 * (3 + 1 + 4 + 3));  // ads, campaign, hours, days
    EXPECT_TRUE(report.shadow_key.empty());
}

TEST_F(RebuildTest, TellsWhatDiffersAndCorrectsItWhenAsked) {
    count(some_events());
    tell({"INCRBY", "ad:metrics:1:clicks", "4"});
    tell({"DEL", "campaign:metrics:1:impressions"});
    tell({"DECRBY", "hourly:metrics:1:2024-01-15T14:impressions", "1"});
    tell({"SET", "hourly:metrics:1:14:impressions", "0"});
    tell({"SET", "daily:metrics:2:2024-01-15:cost_nanos", "7"});
    tell({"SET", "ad:metrics:99:impressions", "3"});  // an ad that the log does not know
    const auto found = rebuild().value();
    EXPECT_THAT(differences, UnorderedElementsAre("ad:metrics:1:clicks 5 1",
                                                  "campaign:metrics:1:impressions 0 3",
                                                  "hourly:metrics:1:2024-01-15T14:impressions 0 1",
                                                  "daily:metrics:2:2024-01-15:cost_nanos 7 20000",
                                                  "ad:metrics:99:impressions 3 0"));
    EXPECT_EQ(found.differences, 5);
    EXPECT_EQ(found.corrected, 0);
    EXPECT_EQ(get("ad:metrics:1:clicks"), "5") << "nothing is changed unasked";
    const auto shadow = client.command({"HGET", found.shadow_key, "ad:metrics:1:clicks"}).value();
    EXPECT_EQ(shadow.text, "1");

    EXPECT_EQ(rebuild({}, true).value().corrected, 5);
    EXPECT_EQ(rebuild().value().differences, 0);
    EXPECT_EQ(get("ad:metrics:1:ctr"), "0.500000");
    EXPECT_EQ(get("campaign:metrics:1:ctr"), "0.333333");
    EXPECT_EQ(get("ad:metrics:99:ctr"), "");
    // It was 0 of 1: the dated hour's correction is the undated one's too.
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
    const Status done = redis_sink::apply_corrections(client, "adtally:rebuild:1", corrections);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::conflict);
    EXPECT_EQ(get("ad:metrics:1:impressions"), "");
}

}  // namespace
}  // namespace adtally::rebuild
