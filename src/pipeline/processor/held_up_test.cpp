// Many partitions without an answering leader: each question about one takes seconds, and the
// others of the loop must not notice. Driven step by step, on a clock of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/fakes/memory_store.hpp"
#include "pipeline/processor/processor.hpp"
#include "pipeline/processor/test_events.hpp"

namespace adtally::processor {
namespace {

constexpr std::int64_t start = 1'705'327'402'000;
constexpr std::int32_t partitions = 16;
constexpr std::int32_t leaderless = 12;
constexpr Milliseconds question{5'000};
constexpr Milliseconds round{100};

class HeldUpTest : public testing::Test {
protected:
    HeldUpTest() {
        log_.when_mute([this] {
            ++questions_;
            clock_.advance(question);
        });
    }
    void mute(bool mute) {
        for (std::int32_t i = 0; i < leaderless; ++i)
            log_.mute(i, mute);
    }
    void put(std::int32_t partition) {
        const TimestampMs now = clock_.wall();
        log_.put(partition, now,
                 record({.ad = partition + 1,
                         .id = std::to_string(events_++),
                         .cost_micros = 10,
                         .received_ms = now.value}));
    }
    void put_everywhere() {
        for (std::int32_t i = 0; i < partitions; ++i)
            put(i);
    }
    std::int64_t counted() { return store_.state().books.counted; }
    // One round; how long the others waited in it.
    SteadyTime::duration step() {
        const SteadyTime begin = clock_.steady();
        processor_.step();
        const auto took = clock_.steady() - begin;
        clock_.advance(round);
        return took;
    }
    void settle() {
        for (int i = 0; i < 100; ++i)
            step();
    }
    // What comes on the other partitions is counted within a few rounds, and few rounds are slow.
    void expect_that_others_go_on(Milliseconds span) {
        const SteadyTime begin = clock_.steady();
        const int before = questions_;
        while (clock_.steady() - begin < span) {
            const std::int64_t due = counted() + partitions - leaderless;
            for (std::int32_t i = leaderless; i < partitions; ++i)
                put(i);
            for (int rounds = 0; counted() < due; ++rounds) {
                ASSERT_LT(rounds, 30);
                ASSERT_LE(step(), 2 * question) << "the group is not served meanwhile";
            }
        }
        EXPECT_LE((questions_ - before) * question, (clock_.steady() - begin) / 8);
        EXPECT_GT(questions_, before) << "it may be over";
    }

    ManualClock clock_{TimestampMs{start}};
    fakes::MemoryLog log_{partitions};
    fakes::MemoryStore store_;
    LiveThresholds thresholds_{Thresholds{}};
    MetricPublisher publisher_{log_, "ad-metrics", clock_, {}};
    observability::MetricRegistry metrics_{"test"};
    CrashPoints crash_points_;
    Processor processor_{Options{},  log_,   store_,   thresholds_,
                         publisher_, clock_, metrics_, crash_points_};
    std::int64_t events_ = 0;
    int questions_ = 0;
};

TEST_F(HeldUpTest, ManyPartitionsThatCannotBeTakenUpStopNoOther) {
    mute(true);
    put_everywhere();
    int rounds = 0;
    while (counted() < partitions - leaderless) {
        ASSERT_LT(++rounds, 100);
        ASSERT_LE(step(), 2 * question) << "one after the other, not all in one round";
    }
    expect_that_others_go_on(Milliseconds{900'000});
    EXPECT_FALSE(processor_.snapshot().ready);
    mute(false);
    const SteadyTime begin = clock_.steady();
    while (counted() < events_) {
        ASSERT_LE(clock_.steady() - begin, Milliseconds{150'000});
        step();
    }
    settle();
    EXPECT_TRUE(processor_.snapshot().ready) << processor_.snapshot().trouble;
}

TEST_F(HeldUpTest, ManyQuietPartitionsThatDoNotAnswerStopNoOther) {
    put_everywhere();
    settle();
    ASSERT_EQ(counted(), partitions);
    mute(true);
    for (int i = 0; i < 100 && questions_ == 0; ++i)
        step();
    expect_that_others_go_on(Milliseconds{900'000});
    EXPECT_FALSE(processor_.snapshot().ready);
    mute(false);
    const SteadyTime begin = clock_.steady();
    while (!processor_.snapshot().ready) {
        ASSERT_LE(clock_.steady() - begin, Milliseconds{150'000});
        step();
    }
}

}  // namespace
}  // namespace adtally::processor
