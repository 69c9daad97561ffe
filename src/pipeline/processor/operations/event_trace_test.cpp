// Traces of events against a log in memory, and what a store says of it.
#include "pipeline/processor/operations/event_trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/test_events.hpp"

namespace adtally::operations {
namespace {

using processor::fakes::MemoryLog;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr TimestampMs noon{1'705'320'000'000};
constexpr Milliseconds window{600'000};

class EventTraceTest : public testing::Test {
protected:
    Trace trace(TraceQuery query) {
        EventTracer tracer(log, "ad-events", window, domain::ReportingZone::utc());
        const EventTracer::Counted counted{
            [this] { return Result<std::vector<std::optional<Offset>>>{counted_to}; },
            [this](Partition partition) {
                return Result<processor::OffsetRanges>{dead_lettered[partition.value]};
            }};
        return tracer.find(query, counted, Deadline::after(Milliseconds{10'000})).value();
    }

    MemoryLog log{2};
    std::vector<std::optional<Offset>> counted_to{Offset{2'000}, Offset{2'000}};
    std::map<std::int32_t, processor::OffsetRanges> dead_lettered;
};

TEST_F(EventTraceTest, TellsWhatBecameOfEachRecordOfAnEvent) {
    auto event = [](const std::string& id) {
        return processor::record({.ad = 7, .campaign = 9, .id = id});
    };
    log.put(0, noon, event("other"));
    log.put(0, noon, event("mine"));
    log.put(0, TimestampMs{noon.value + window.count()}, event("mine"));
    log.put(0, TimestampMs{noon.value + 3 * window.count() + 1}, event("mine"));
    log.put(0, TimestampMs{noon.value + 3 * window.count() + 2}, R"({"event_id":"mine")");
    log.put(0, TimestampMs{noon.value + 3 * window.count() + 3}, event("mine"));
    counted_to[0] = Offset{5};
    const Trace found = trace({.event_id = "mine"});
    std::vector<Fate> fates;
    for (const TracedRecord& record : found.records)
        fates.push_back(record.fate);
    EXPECT_THAT(fates, ElementsAre(Fate::counted, Fate::duplicate, Fate::counted,
                                   Fate::dead_lettered, Fate::in_flight));
    EXPECT_EQ(to_string(found.records[0].position), "0-1");
    EXPECT_THAT(found.records[0].keys, testing::Contains("ad:metrics:7:impressions"));
    EXPECT_THAT(found.records[0].keys, testing::Contains("campaign:metrics:9:impressions"));
    EXPECT_THAT(found.records[1].keys, IsEmpty());
    EXPECT_THAT(found.records[3].reason, HasSubstr("malformed_json"));
    EXPECT_EQ(found.searched, 6);
    EXPECT_TRUE(found.complete);
    EXPECT_THAT(to_json({.event_id = "mine"}, found), HasSubstr(R"("state":"dead_lettered")"));
}

TEST_F(EventTraceTest, ATraceFromATimeKnowsWhatCameBeforeIt) {
    const std::string event = processor::record({.id = "mine"});
    log.put(0, noon, event);
    log.put(0, TimestampMs{noon.value + 1'000}, event);
    const Trace found = trace({.event_id = "mine", .from = TimestampMs{noon.value + 500}});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(found.records[0].fate, Fate::duplicate);
}

// Dead-lettered by the version of then, taken by that of today: it is no event, its copy is one.
TEST_F(EventTraceTest, ATraceTellsOfALetterThatTodaysDecoderTakes) {
    const std::string event = processor::record({.id = "mine", .received_ms = noon.value});
    log.put(0, noon, event);
    dead_lettered[0].add(Offset{0});
    for (const std::int64_t minutes : {2, 120}) {
        log.put(0, TimestampMs{noon.value + minutes * 60'000}, event);
        const Trace found = trace({.event_id = "mine"});
        ASSERT_EQ(found.records.size(), minutes == 2 ? 2u : 3u);
        EXPECT_EQ(found.records[0].fate, Fate::dead_lettered);
        EXPECT_THAT(found.records[0].reason, HasSubstr("redrive its letter"));
        EXPECT_THAT(found.records[0].keys, IsEmpty());
        EXPECT_EQ(found.records[1].fate, Fate::counted);
        EXPECT_FALSE(found.records[1].keys.empty());
    }
    EXPECT_EQ(trace({.event_id = "mine"}).records[2].fate, Fate::duplicate);
}

TEST_F(EventTraceTest, ATraceShowsNobodyElsesPoison) {
    log.put(0, noon, R"({"event_id":"order-12","type":"cl)");
    log.put(0, noon, R"({"event_id" : "order-1","type":"cl)");
    log.put(0, noon, R"({"event_id":"other","page_url":"order-1","type":"cl)");
    const Trace found = trace({.event_id = "order-1"});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(to_string(found.records[0].position), "0-1");
    EXPECT_EQ(found.records[0].fate, Fate::dead_lettered);
    EXPECT_FALSE(names_event(R"(:"1")", "1"));
    EXPECT_FALSE(names_event(R"("event_id":"12")", "1"));
    EXPECT_TRUE(names_event("{\"event_id\"\n:\t\"1\"", "1"));
}

TEST_F(EventTraceTest, ATraceEndsAfterAThousandRecords) {
    for (int i = 0; i < 1'001; ++i)
        log.put(0, noon, processor::record({.id = "1"}));
    const Trace found = trace({.event_id = "1"});
    EXPECT_EQ(found.records.size(), 1'000u);
    EXPECT_FALSE(found.complete);
    EXPECT_THAT(to_json({.event_id = "1"}, found), HasSubstr("after 1,000 records"));
}

// As a transactional writer leaves one: the next partition is searched all the same.
TEST_F(EventTraceTest, ASearchEndsWhereOffsetsHaveNoRecords) {
    log.put(0, noon, processor::record({.id = "other"}));
    log.put_marker(0);
    log.put(1, noon, processor::record({.id = "mine"}));
    log.put_marker(1);
    const Trace found = trace({.event_id = "mine"});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(to_string(found.records[0].position), "1-0");
    EXPECT_TRUE(found.complete);
}

// As from a spool, after an outage of an hour: its double stands long before the asked time.
TEST_F(EventTraceTest, ATraceFromATimeLooksAsFarBackAsALateRecordDoes) {
    constexpr std::int64_t hour_ms = 3'600'000;
    const std::string event = processor::record({.id = "mine", .received_ms = noon.value});
    log.put(0, noon, event);
    log.put(0, TimestampMs{noon.value + hour_ms}, event);
    const Trace found = trace({.event_id = "mine", .from = TimestampMs{noon.value + hour_ms}});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(found.records[0].fate, Fate::duplicate);
}

TEST_F(EventTraceTest, ATraceSaysThatRetentionMayHideTheEvent) {
    log.put(0, noon, processor::record({.id = "mine"}));
    log.put(0, noon, processor::record({.id = "other"}));
    log.expire_before(0, 1);
    const Trace found = trace({.event_id = "mine"});
    EXPECT_THAT(found.records, IsEmpty());
    EXPECT_FALSE(found.retained);
    EXPECT_THAT(to_json({.event_id = "mine"}, found), HasSubstr("retention"));
}

TEST(UuidV7, TellsItsTime) {
    EXPECT_EQ(uuid_v7_time("018d0d60-8b40-7000-8000-000000000000"),
              std::optional{TimestampMs{0x018d0d608b40}});
    EXPECT_FALSE(uuid_v7_time("018d0d60-8b40-4000-8000-000000000000").has_value());
    EXPECT_FALSE(uuid_v7_time("7").has_value());
    EXPECT_FALSE(uuid_v7_time("018d0dg0-8b40-7000-8000-000000000000").has_value());
}

}  // namespace
}  // namespace adtally::operations
