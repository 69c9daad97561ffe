#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "pipeline/processor/dead_letters.hpp"
#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/operations/event_trace.hpp"
#include "pipeline/processor/operations/redrive.hpp"
#include "pipeline/processor/test_events.hpp"

namespace adtally::operations {
namespace {

using processor::fakes::MemoryLog;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr TimestampMs noon{1'705'320'000'000};
constexpr Milliseconds window{600'000};

class MemoryMarks final : public RedriveMarks {
public:
    Result<std::optional<RedriveMark>> find(const std::string& origin) override {
        const auto found = marks.find(origin);
        return found == marks.end() ? std::nullopt : std::optional{found->second};
    }
    Result<bool> begin(const std::string& origin, TimestampMs now) override {
        return marks.emplace(origin, RedriveMark{false, now}).second;
    }
    Status finish(const std::string& origin, TimestampMs now) override {
        if (!lose_finish)
            marks[origin] = {true, now};
        return ok();
    }
    Status forget(const std::string& origin) override {
        marks.erase(origin);
        return ok();
    }
    std::map<std::string, RedriveMark> marks;
    bool lose_finish = false;  // as when the process dies before it
};

class OperationsTest : public testing::Test {
protected:
    void letter(std::int64_t offset, const std::string& reason, std::int64_t after_ms = 0) {
        log.set_time(TimestampMs{noon.value + after_ms});
        processor::DeadLetterWriter writer(log, "ad-events", "ad-events-dlt", Milliseconds{1'000});
        const processor::DeadLetter dead{Offset{offset},        noon,   "7",
                                         "{\"event_id\":\"e\"", reason, "something is wrong"};
        ASSERT_EQ(writer.write_some(Partition{1}, std::span(&dead, 1)).value(), 1u);
    }
    RedriveReport redrive(Redriver::Wish wish = {}) {
        Redriver redriver(box, log, marks, clock, {"ad-events", window});
        return redriver.page({}, {}, 100, wish).value();
    }
    std::size_t events() { return log.all("ad-events").size(); }
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
    MemoryMarks marks;
    ManualClock clock{noon};
    LetterBox box{log, "ad-events-dlt"};
    std::vector<std::optional<Offset>> counted_to{Offset{2'000}, Offset{2'000}};
    std::map<std::int32_t, processor::OffsetRanges> dead_lettered;
};

TEST_F(OperationsTest, AListBeforeTheFirstLetterSaysThatThereIsNoTopic) {
    EXPECT_EQ(box.list({}, {}, 10).error().code, ErrorCode::not_found);
}

TEST_F(OperationsTest, ALetterIsReadBackWithItsOriginAndReason) {
    letter(17, "malformed_json");
    const Page page = box.list({}, {}, 10).value();
    ASSERT_EQ(page.letters.size(), 1u);
    const Letter& found = page.letters.front();
    EXPECT_EQ(to_string(found.position), "0-0");
    EXPECT_EQ(found.origin_topic, "ad-events");
    EXPECT_EQ(to_string(found.origin), "1-17");
    EXPECT_EQ(found.origin_at, noon);
    EXPECT_EQ(found.reason, "malformed_json");
    EXPECT_EQ(found.message, "something is wrong");
    EXPECT_EQ(found.value, "{\"event_id\":\"e\"");
    EXPECT_EQ(box.find(found.position).value().origin, found.origin);
    EXPECT_EQ(box.find({Partition{0}, Offset{1}}).error().code, ErrorCode::not_found);
    EXPECT_EQ(box.find({Partition{9}, Offset{0}}).error().code, ErrorCode::not_found);
}

TEST_F(OperationsTest, ListsPageByPageByReasonAndTime) {
    for (int i = 0; i < 10; ++i)
        letter(i, i % 2 == 0 ? "malformed_json" : "missing_field", i);
    auto offsets = [](const Page& page) {
        std::vector<std::int64_t> all;
        for (const Letter& each : page.letters)
            all.push_back(each.origin.offset.value);
        return all;
    };
    const LetterFilter odd{.reason = "missing_field"};
    const Page first = box.list(odd, {}, 2).value();
    EXPECT_THAT(offsets(first), ElementsAre(1, 3));
    const Page rest = box.list(odd, first.next.value(), 10).value();
    EXPECT_THAT(offsets(rest), ElementsAre(5, 7, 9));
    EXPECT_FALSE(rest.next.has_value());
    const LetterFilter middle{
        .reason = "", .from = TimestampMs{noon.value + 3}, .to = TimestampMs{noon.value + 6}};
    EXPECT_THAT(offsets(box.list(middle, {}, 10).value()), ElementsAre(3, 4, 5));
}

TEST_F(OperationsTest, RedrivesEachLetterOnce) {
    letter(1, "missing_field");
    letter(1, "missing_field");  // written twice: its processor died in between
    letter(2, "missing_field");
    EXPECT_EQ(redrive({.dry_run = true}).redriven, 2);
    EXPECT_EQ(events(), 0u);
    const RedriveReport first = redrive();
    EXPECT_EQ(first.redriven, 2);
    EXPECT_EQ(first.already, 1);
    ASSERT_EQ(events(), 2u);
    EXPECT_EQ(log.all("ad-events")[0].value, "{\"event_id\":\"e\"");
    EXPECT_EQ(log.all("ad-events")[0].headers.at(0).name, redriven_from_header);
    EXPECT_EQ(log.all("ad-events")[0].headers.at(0).value, "ad-events-dlt/0-0");
    EXPECT_EQ(redrive({.force = true}).already, 3);
    EXPECT_EQ(events(), 2u);
}

TEST_F(OperationsTest, ALetterThatWasCutIsNeverRedriven) {
    log.limit_records(4'100);
    log.set_time(noon);
    processor::DeadLetterWriter writer(log, "ad-events", "ad-events-dlt", Milliseconds{1'000});
    const std::string value = R"({"event_id":"e",)" + std::string(9'000, 'x');
    const processor::DeadLetter dead{Offset{5}, noon, "7", value, "malformed_json", "wrong"};
    ASSERT_EQ(writer.write_some(Partition{1}, std::span(&dead, 1)).value(), 1u);
    letter(6, "missing_field");
    const Letter cut = box.find({Partition{0}, Offset{0}}).value();
    EXPECT_TRUE(cut.cut());
    EXPECT_THAT(to_json(cut), HasSubstr(R"("cut":true,"original_value_bytes":9016)"));
    const RedriveReport report = redrive({.force = true});
    EXPECT_EQ(report.cut, 1);
    EXPECT_EQ(report.redriven, 1);
    EXPECT_EQ(events(), 1u);
    EXPECT_THAT(to_json(report), HasSubstr(R"("cut":1)"));
    Redriver redriver(box, log, marks, clock, {"ad-events", window});
    const auto refused = redriver.one(cut.position, {.force = true});
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("9016 bytes"));
    EXPECT_THAT(refused.error().message, HasSubstr("ad-events/1-5"));
    EXPECT_EQ(events(), 1u);
}

// What is redriven and still wrong comes back as a new letter, behind those that stood there.
TEST_F(OperationsTest, ARedriveInPagesEndsThoughItMakesNewLetters) {
    for (int i = 0; i < 5; ++i)
        letter(i, "missing_field");
    Redriver redriver(box, log, marks, clock, {"ad-events", window});
    std::optional<Ends> ends;
    Position first;
    std::int64_t redriven = 0;
    for (int pages = 1;; ++pages) {
        ASSERT_LE(pages, 3);
        const RedriveReport report = redriver.page({}, first, 2, {}, ends).value();
        redriven += report.redriven;
        for (std::int64_t i = 0; i < report.redriven; ++i)
            letter(100 * pages + i, "missing_field");
        if (!report.next)
            break;
        first = *report.next;
        ends = report.ends;
    }
    EXPECT_EQ(redriven, 5);
    EXPECT_EQ(redriver.page({}, {}, 2, {}, Ends{Offset{1}}).error().code,
              ErrorCode::invalid_argument);
}

TEST_F(OperationsTest, TheNewestComeFirstPageByPage) {
    for (int i = 0; i < 700; ++i)  // more than a stretch
        letter(i, i % 100 == 0 ? "malformed_json" : "missing_field", i);
    auto offsets = [](const NewestPage& page) {
        std::vector<std::int64_t> all;
        for (const Letter& each : page.letters)
            all.push_back(each.origin.offset.value);
        return all;
    };
    const NewestPage newest = box.newest({}, 3).value();
    EXPECT_THAT(offsets(newest), ElementsAre(699, 698, 697));
    EXPECT_TRUE(newest.more);
    letter(1'000, "missing_field", 1'000);
    EXPECT_THAT(offsets(box.newest({}, 2, newest.ends).value()), ElementsAre(696, 695));
    const LetterFilter rare{.reason = "malformed_json"};
    const NewestPage some = box.newest(rare, 4).value();
    EXPECT_THAT(offsets(some), ElementsAre(600, 500, 400, 300));
    const NewestPage rest = box.newest(rare, 4, some.ends).value();
    EXPECT_THAT(offsets(rest), ElementsAre(200, 100, 0));
    EXPECT_FALSE(rest.more);
    const LetterFilter middle{
        .reason = "", .from = TimestampMs{noon.value + 3}, .to = TimestampMs{noon.value + 6}};
    EXPECT_THAT(offsets(box.newest(middle, 10).value()), ElementsAre(5, 4, 3));
}

TEST_F(OperationsTest, APageIsBoundedInBytes) {
    processor::DeadLetterWriter writer(log, "ad-events", "ad-events-dlt", Milliseconds{1'000});
    for (int i = 0; i < 6; ++i) {
        const processor::DeadLetter dead{Offset{i},        noon,   "7", std::string(400'000, 'x'),
                                         "malformed_json", "wrong"};
        ASSERT_TRUE(writer.write_some(Partition{1}, std::span(&dead, 1)));
    }
    const Page page = box.list({}, {}, 100).value();
    EXPECT_EQ(page.letters.size(), 3u);
    EXPECT_EQ(box.list({}, page.next.value(), 100, page.ends).value().letters.size(), 3u);
    const NewestPage newest = box.newest({}, 100).value();
    EXPECT_EQ(newest.letters.size(), 3u);
    EXPECT_EQ(newest.letters.front().origin.offset, Offset{5});
    const NewestPage older = box.newest({}, 100, newest.ends).value();
    ASSERT_EQ(older.letters.size(), 3u);
    EXPECT_EQ(older.letters.front().origin.offset, Offset{2});
    EXPECT_FALSE(older.more);
}

TEST_F(OperationsTest, RepeatsAnOpenAttemptWithinTheWindowOnly) {
    letter(1, "missing_field");
    marks.lose_finish = true;
    EXPECT_EQ(redrive().redriven, 1);
    clock.advance(window / 2);
    EXPECT_EQ(redrive().redriven, 1);
    clock.advance(Milliseconds{1});
    EXPECT_EQ(redrive().uncertain, 1);
    EXPECT_EQ(events(), 2u);
    EXPECT_EQ(redrive({.force = true}).redriven, 1);
}

TEST_F(OperationsTest, AnAppendThatFailedCanBeRepeatedAtAnyTime) {
    letter(1, "missing_field");
    log.fail_appends(ErrorCode::overloaded);
    const RedriveReport failed = redrive();
    EXPECT_EQ(failed.failed, 1);
    EXPECT_THAT(failed.error, HasSubstr("told to refuse"));
    EXPECT_THAT(marks.marks, IsEmpty());
    log.fail_appends(ErrorCode::timed_out);
    EXPECT_EQ(redrive().failed, 1);
    EXPECT_EQ(marks.marks.size(), 1u) << "it may have arrived";
    clock.advance(window);
    log.refuse_appends(false);
    EXPECT_EQ(redrive().uncertain, 1);
    // A refusal now says nothing of the attempt before.
    log.fail_appends(ErrorCode::overloaded);
    EXPECT_EQ(redrive({.force = true}).failed, 1);
    EXPECT_EQ(marks.marks.size(), 1u);
}

TEST_F(OperationsTest, TellsWhatBecameOfEachRecordOfAnEvent) {
    auto event = [](const std::string& id) {
        return processor::record({.ad = 7, .campaign = 9, .id = id});
    };
    log.put(0, noon, event("other"));
    log.put(0, noon, event("mine"));
    log.put(0, TimestampMs{noon.value + window.count()}, event("mine"));
    log.put(0, TimestampMs{noon.value + 2 * window.count() + 1}, event("mine"));
    log.put(0, TimestampMs{noon.value + 2 * window.count() + 2}, R"({"event_id":"mine")");
    log.put(0, TimestampMs{noon.value + 2 * window.count() + 3}, event("mine"));
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

TEST_F(OperationsTest, ATraceFromATimeKnowsWhatCameBeforeIt) {
    const std::string event = processor::record({.id = "mine"});
    log.put(0, noon, event);
    log.put(0, TimestampMs{noon.value + 1'000}, event);
    const Trace found = trace({.event_id = "mine", .from = TimestampMs{noon.value + 500}});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(found.records[0].fate, Fate::duplicate);
}

// Dead-lettered by the version of then, taken by that of today: it is no event, its copy is one.
TEST_F(OperationsTest, ATraceTellsOfALetterThatTodaysDecoderTakes) {
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

TEST_F(OperationsTest, ATraceShowsNobodyElsesPoison) {
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

TEST_F(OperationsTest, ATraceEndsAfterAThousandRecords) {
    for (int i = 0; i < 1'001; ++i)
        log.put(0, noon, processor::record({.id = "1"}));
    const Trace found = trace({.event_id = "1"});
    EXPECT_EQ(found.records.size(), 1'000u);
    EXPECT_FALSE(found.complete);
    EXPECT_THAT(to_json({.event_id = "1"}, found), HasSubstr("after 1,000 records"));
}

// As from a spool, after an outage of an hour: its double stands long before the asked time.
TEST_F(OperationsTest, ATraceFromATimeLooksAsFarBackAsALateRecordDoes) {
    constexpr std::int64_t hour_ms = 3'600'000;
    const std::string event = processor::record({.id = "mine", .received_ms = noon.value});
    log.put(0, noon, event);
    log.put(0, TimestampMs{noon.value + hour_ms}, event);
    const Trace found = trace({.event_id = "mine", .from = TimestampMs{noon.value + hour_ms}});
    ASSERT_EQ(found.records.size(), 1u);
    EXPECT_EQ(found.records[0].fate, Fate::duplicate);
}

TEST_F(OperationsTest, ATraceSaysThatRetentionMayHideTheEvent) {
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

TEST(DeadLetterJson, KeepsBytesThatAreNoText) {
    Letter letter;
    letter.value = "\xff\x01";
    EXPECT_THAT(to_json(letter), HasSubstr(R"("value_base64":"/wE=")"));
    letter.value = "{}";
    EXPECT_THAT(to_json(letter), HasSubstr(R"("value":"{}")"));
}

TEST(DeadLetterPosition, IsPartitionAndOffset) {
    EXPECT_EQ(to_string(parse_position("3-17").value()), "3-17");
    for (const char* wrong : {"", "3", "3-", "-1", "3-x", "99999999999-1", "3-1-2"})
        EXPECT_FALSE(parse_position(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace adtally::operations
