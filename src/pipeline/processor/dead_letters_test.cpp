// Poison of every size and number: it becomes letters, and the stream goes on.
#include "pipeline/processor/dead_letters.hpp"

#include <gtest/gtest.h>
#include <functional>
#include <string>
#include <vector>

#include "pipeline/processor/test_support.hpp"

namespace adtally::processor {
namespace {

using fakes::MemoryLog;
using fakes::MemoryStore;

constexpr TimestampMs noon{1'705'320'000'000};
namespace names = dead_letter_headers;

std::string header_of(const MemoryLog::Stored& letter, std::string_view name) {
    for (const eventlog::Header& each : letter.headers)
        if (each.name == name)
            return each.value;
    return "";
}

class DeadLetters : public testing::Test {
protected:
    static DeadLetter letter(std::int64_t offset, std::string value, std::string key = "7") {
        return {Offset{offset},   noon,           std::move(key),
                std::move(value), "invalid_json", "something is wrong"};
    }
    Result<std::size_t> write(std::span<const DeadLetter> letters) {
        return writer.write_some(Partition{1}, letters);
    }
    std::vector<MemoryLog::Stored> written() { return log.all("ad-events-dlt"); }

    MemoryLog log{2};
    DeadLetterWriter writer{log, "ad-events", "ad-events-dlt", Milliseconds{1'000}};
};

TEST_F(DeadLetters, ARecordAboveTheLimitBecomesALetterThatIsCut) {
    log.limit_records(10'000);
    const std::vector<DeadLetter> letters{letter(1, std::string(20'000, 'x')), letter(2, "small")};
    EXPECT_EQ(write(letters).value(), 2u);
    ASSERT_EQ(written().size(), 2u);
    const MemoryLog::Stored cut = written()[0];
    EXPECT_EQ(cut.key, "7");
    EXPECT_EQ(cut.value, std::string(10'000 - dead_letter_header_room - 1, 'x'));
    EXPECT_EQ(header_of(cut, names::value_bytes), "20000");
    EXPECT_EQ(header_of(cut, names::key_bytes), "1");
    EXPECT_EQ(header_of(cut, names::offset), "1");
    EXPECT_EQ(written()[1].value, "small");
    EXPECT_EQ(header_of(written()[1], names::value_bytes), "");
}

TEST_F(DeadLetters, ACutTakesNoHalfOfACharacterAndTheKeyGoesFirst) {
    log.limit_records(100);  // fifty of them for the headers
    const std::vector<DeadLetter> letters{letter(1, std::string(48, 'x') + "\xe2\x82\xac"),
                                          letter(2, "value", std::string(200, 'k'))};
    EXPECT_EQ(write(letters).value(), 2u);
    EXPECT_EQ(written()[0].value, std::string(48, 'x'));
    EXPECT_EQ(written()[1].key, std::string(50, 'k'));
    EXPECT_EQ(written()[1].value, "");
    EXPECT_EQ(header_of(written()[1], names::key_bytes), "200");
}

TEST_F(DeadLetters, WhatIsTooLargeAllTheSameKeepsItsPlaceAndItsReason) {
    log.take_at_most(100);  // its producer does not know yet
    const std::vector<DeadLetter> letters{letter(1, std::string(5'000, 'x')), letter(2, "small")};
    EXPECT_EQ(write(letters).value(), 1u);
    ASSERT_FALSE(written().empty());
    const auto emptied = written().back();
    EXPECT_EQ(emptied.value, "");
    EXPECT_EQ(header_of(emptied, names::value_bytes), "5000");
    EXPECT_EQ(header_of(emptied, names::reason), "invalid_json");
    EXPECT_EQ(write(std::span(letters).subspan(1)).value(), 1u);
    EXPECT_EQ(written().back().value, "small");
}

TEST_F(DeadLetters, AreWrittenInChunksAndARetryGoesOnWhereTheyEnded) {
    std::vector<DeadLetter> letters;
    letters.reserve(2'500);
    for (int i = 0; i < 2'500; ++i)
        letters.push_back(letter(i, "poison"));
    log.take_appends(1'500);
    std::span<const DeadLetter> left{letters};
    EXPECT_EQ(write(left).value(), 1'000u);
    EXPECT_EQ(write(left.subspan(1'000)).value(), 500u);
    EXPECT_EQ(write(left.subspan(1'500)).error().code, ErrorCode::overloaded);
    log.take_appends(-1);
    EXPECT_EQ(write(left.subspan(1'500)).value(), 1'000u);
    EXPECT_EQ(written().size(), 2'500u);
}

TEST_F(DeadLetters, AChunkIsBoundedInBytes) {
    std::vector<DeadLetter> letters;
    letters.reserve(20);
    for (int i = 0; i < 20; ++i)
        letters.push_back(letter(i, std::string(1'000'000, 'x')));
    const std::size_t some = write(letters).value();
    EXPECT_GE(some, 1u);
    EXPECT_LE(some * 1'000'000, dead_letter_chunk_bytes);
    EXPECT_EQ(written().size(), some);
}

// The loop, round by round, in the test's thread.
class PoisonedStream : public testing::Test {
protected:
    void until(const std::function<bool()>& condition) {
        const Deadline deadline = Deadline::after(Milliseconds{20'000});
        while (!condition()) {
            ASSERT_FALSE(deadline.passed()) << "trouble: " << processor_->snapshot().trouble;
            processor_->step();
        }
    }
    void SetUp() override {
        Options options;
        options.flush_interval = Milliseconds{1};
        options.backoff_min = Milliseconds{1};
        options.backoff_max = Milliseconds{2};
        processor_ = std::make_unique<Processor>(options, log_, store_, thresholds_, publisher_,
                                                 clock_, metrics_, crash_points_);
    }

    SystemClock clock_;
    MemoryLog log_{1};
    MemoryStore store_;
    LiveThresholds thresholds_{Thresholds{}};
    MetricPublisher publisher_{log_, "ad-metrics", clock_, {}};
    observability::MetricRegistry metrics_{"test"};
    CrashPoints crash_points_;
    std::unique_ptr<Processor> processor_;
};

TEST_F(PoisonedStream, ARecordThatOurOwnProducerWouldNotTakeDoesNotStopIt) {
    log_.limit_records(10'000);
    log_.put(0, noon, std::string(50'000, 'x'));
    log_.put(0, noon, record({.id = "a"}));
    until([&] { return store_.state().books.counted == 1; });
    EXPECT_EQ(store_.state().books.dead_lettered, 1);
    ASSERT_EQ(log_.all("ad-events-dlt").size(), 1u);
    EXPECT_EQ(header_of(log_.all("ad-events-dlt")[0], names::value_bytes), "50000");
}

TEST_F(PoisonedStream, ABurstThatDoesNotGetThroughAtOnceIsWrittenOnce) {
    constexpr std::size_t burst = 3'000;
    for (std::size_t i = 0; i < burst; ++i)
        log_.put(0, noon, "poison");
    log_.put(0, noon, record({.id = "a"}));
    const auto letters = [&] { return log_.all("ad-events-dlt").size(); };
    for (std::size_t taken = 0; taken < burst; taken += 700) {
        log_.take_appends(700);
        until([&] { return letters() >= std::min(taken + 700, burst); });
    }
    log_.take_appends(-1);
    until([&] { return store_.state().books.counted == 1; });
    EXPECT_EQ(store_.state().books.dead_lettered, static_cast<std::int64_t>(burst));
    EXPECT_EQ(letters(), burst);
}

// Refused by the version of then, taken by the decoder of today: only its redriven copy counts.
class MendedLetter : public PoisonedStream {
protected:
    void SetUp() override {
        put(0);
        MemoryStore::State then;
        then.offsets[0] = 1;
        then.books.dead_lettered = 1;
        then.dead_lettered[0].add(Offset{0});
        store_.roll_back_to(then);
        PoisonedStream::SetUp();
    }
    // Always as it was received.
    void put(std::int64_t minutes) {
        log_.put(0, TimestampMs{noon.value + minutes * 60'000},
                 record({.id = "mended", .received_ms = noon.value}));
    }
    void until_processed(std::int64_t records) {
        until([&] { return store_.state().offsets[0] == records; });
    }
};

TEST_F(MendedLetter, CountsOnceWithinTheWindow) {
    log_.put(0, TimestampMs{noon.value + 30'000},
             record({.id = "mended", .received_ms = noon.value}));  // not even late
    put(2);
    until_processed(3);
    EXPECT_EQ(store_.state().books.counted, 1);
    EXPECT_EQ(store_.state().books.duplicates, 1);
    EXPECT_EQ(store_.state().books.dead_lettered, 1);
}

TEST_F(MendedLetter, CountsOnceWhenItIsLate) {
    put(120);
    put(125);
    put(23 * 60);
    until_processed(4);
    EXPECT_EQ(store_.state().books.counted, 1);
    EXPECT_EQ(store_.state().books.duplicates, 2);
}

TEST_F(PoisonedStream, WhereDeadLettersStoodIsRecordedWithTheirFlush) {
    log_.put(0, noon, "poison");
    log_.put(0, noon, "poison");
    log_.put(0, noon, record({.id = "a"}));
    log_.put(0, noon, "poison");
    until([&] { return store_.state().offsets[0] == 4; });
    const MemoryStore::State then = store_.state();
    const auto places = then.dead_lettered.at(0).ranges();
    ASSERT_EQ(places.size(), 2u);
    EXPECT_EQ(places[0], (OffsetRange{Offset{0}, Offset{1}}));
    EXPECT_EQ(places[1], (OffsetRange{Offset{3}, Offset{3}}));
}

TEST(OffsetRanges, JoinWhatTouches) {
    OffsetRanges set;
    for (const std::int64_t at : {5, 7, 9, 8, 1})
        set.add(Offset{at});
    ASSERT_EQ(set.size(), 3u);
    EXPECT_EQ(set.ranges()[2], (OffsetRange{Offset{7}, Offset{9}}));
    set.add({Offset{2}, Offset{6}});
    EXPECT_EQ(set.size(), 1u);
    for (std::int64_t at = 0; at <= 10; ++at)
        EXPECT_EQ(set.contains(Offset{at}), at >= 1 && at <= 9) << at;
    set.add(Offset{20});
    set.trim_below(Offset{9});
    EXPECT_EQ(set.size(), 2u);
    set.trim_below(Offset{10});
    EXPECT_FALSE(set.contains(Offset{9}));
    EXPECT_TRUE(set.contains(Offset{20}));
}

// The loop on its own thread.
class DeadLettersOfTheLoop : public ProcessorTest {};

TEST_F(DeadLettersOfTheLoop, PoisonGoesToTheDeadLettersAndNeverStopsTheStream) {
    log_.put(1, TimestampMs{start}, "{\"not\":\"an event\"}");
    log_.put(1, TimestampMs{start}, "\xff\xfe");
    put(1, "a");
    run();
    eventually_counted(1);
    EXPECT_EQ(store_.state().books.dead_lettered, 2);
    auto letters = log_.all("ad-events-dlt");
    ASSERT_EQ(letters.size(), 2u);
    EXPECT_EQ(letters[0].value, "{\"not\":\"an event\"}");
    EXPECT_EQ(letters[0].headers[2].name, "kafka_dlt-original-offset");
    EXPECT_EQ(letters[0].headers[2].value, "0");
}

TEST_F(DeadLettersOfTheLoop, DeadLettersThatCannotBeWrittenHoldTheOffset) {
    log_.refuse_appends(true);
    log_.put(1, TimestampMs{start}, "poison");
    put(1, "a");
    run();
    eventually([&] {
        return !processor_->snapshot().trouble.empty() &&
               processor_->snapshot().trouble != "starting";
    });
    EXPECT_EQ(store_.state().books.counted, 0);
    EXPECT_EQ(processor_->health().status, observability::HealthStatus::down);
    log_.refuse_appends(false);
    eventually_counted(1);
    EXPECT_EQ(store_.state().books.dead_lettered, 1);
    eventually([&] { return processor_->snapshot().ready; });
}

// What a crash between the two leaves: the dead letter is durable, the offset behind it is not.
TEST_F(DeadLettersOfTheLoop, ADeadLetterWhoseOffsetWasLostIsWrittenAgainAndBookedOnce) {
    log_.put(1, TimestampMs{start}, "poison");
    put(1, "a");
    store_.next_faults(MemoryStore::Fault::lose_request, -1);
    run();
    eventually([&] { return !log_.all("ad-events-dlt").empty(); });
    stop();
    std::size_t written = log_.all("ad-events-dlt").size();
    EXPECT_TRUE(store_.state().offsets.empty());
    store_.next_faults(MemoryStore::Fault::none, 0);
    run();
    eventually_counted(1);
    EXPECT_EQ(store_.state().books.dead_lettered, 1);
    auto letters = log_.all("ad-events-dlt");
    ASSERT_EQ(letters.size(), written + 1);
    EXPECT_EQ(letters.back().headers[2].value, letters.front().headers[2].value);
    EXPECT_EQ(letters.back().value, "poison");
}

}  // namespace
}  // namespace adtally::processor
