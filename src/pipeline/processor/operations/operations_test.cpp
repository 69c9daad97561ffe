#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "pipeline/processor/dead_letters.hpp"
#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/operations/redrive.hpp"

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
    Result<std::optional<RedriveMark>> find(const Letter& letter) override {
        const auto found = marks.find(letter.origin_id());
        return found == marks.end() ? std::nullopt : std::optional{found->second};
    }
    Result<bool> begin(const Letter& letter, TimestampMs now) override {
        if (begins_left == 0)
            return Error{ErrorCode::unavailable, "the marks are away"};
        begins_left -= 1;
        return marks.emplace(letter.origin_id(), RedriveMark{false, now}).second;
    }
    Status finish(const Letter& letter, TimestampMs now) override {
        if (!lose_finish)
            marks[letter.origin_id()] = {true, now};
        return ok();
    }
    Status forget(const Letter& letter) override {
        marks.erase(letter.origin_id());
        return ok();
    }
    Status keep(const Letter& letter) override {
        kept.push_back(to_string(letter.position));
        return ok();
    }
    Status removed_before(Partition partition, Offset begin) override {
        removed[partition.value] = begin.value;
        return ok();
    }
    std::map<std::string, RedriveMark> marks;
    std::vector<std::string> kept;
    std::map<std::int32_t, std::int64_t> removed;
    int begins_left = 1'000'000;
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

    MemoryLog log{2};
    MemoryMarks marks;
    ManualClock clock{noon};
    LetterBox box{log, "ad-events-dlt"};
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

// As a transactional writer leaves them; a stretch that ends with one, and one of nothing else.
TEST_F(OperationsTest, TheNewestEndWhereOffsetsHaveNoRecords) {
    LetterBox marked{log, "ad-events"};
    log.put_marker(0);
    log.put(0, noon, "old");
    for (int i = 0; i < 1'100; ++i)
        log.put_marker(0);
    log.put(0, noon, "new");
    log.put_marker(0);
    log.put_marker(1);
    const NewestPage newest = marked.newest({}, 10).value();
    ASSERT_EQ(newest.letters.size(), 2u);
    EXPECT_EQ(newest.letters[0].value, "new");
    EXPECT_EQ(newest.letters[1].value, "old");
    EXPECT_FALSE(newest.more);
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

TEST_F(OperationsTest, MarksThatFailInTheMiddleLeaveTheRestUnmarked) {
    for (int i = 0; i < 5; ++i)
        letter(i, "missing_field");
    marks.begins_left = 2;
    const RedriveReport report = redrive();
    EXPECT_EQ(report.redriven, 2);
    EXPECT_EQ(report.failed, 3);
    EXPECT_EQ(report.error, "the marks are away");
    EXPECT_EQ(events(), 2u);
    EXPECT_EQ(marks.marks.size(), 2u);
    marks.begins_left = 100;
    clock.advance(window);  // an open attempt would be uncertain by now
    EXPECT_EQ(redrive().redriven, 3);
    EXPECT_EQ(events(), 5u);
}

TEST_F(OperationsTest, MarksLiveAsLongAsTheirLetters) {
    letter(1, "missing_field");
    letter(1, "missing_field");
    EXPECT_EQ(redrive().redriven, 1);
    EXPECT_THAT(marks.kept, ElementsAre("0-1"));
    EXPECT_THAT(marks.removed, ElementsAre(std::pair{0, 0}, std::pair{1, 0}));
    log.expire_before(0, 1);
    EXPECT_EQ(redrive().already, 1);
    EXPECT_EQ(marks.removed[0], 1);
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
