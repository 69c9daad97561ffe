// The loop against a log and a store in memory: every record counts once, whatever is lost.
#include "pipeline/processor/processor.hpp"

#include <gtest/gtest.h>
#include <random>
#include <string>

#include "pipeline/processor/test_support.hpp"

namespace adtally::processor {
namespace {

using fakes::MemoryStore;
using Fault = fakes::MemoryStore::Fault;

constexpr std::int64_t start = ProcessorTest::start;

// The first connection is no reconnection: nothing is looked at twice, nobody is warned.
TEST_F(ProcessorTest, StartsByOneLookAtTheStore) {
    run();
    eventually_well();
    EXPECT_EQ(store_.binds(), 1);
}

TEST_F(ProcessorTest, CountsEveryEventOnceAndDropsDuplicates) {
    put(1, "a");
    put(1, "b");
    put(1, "a");
    put(2, "a");
    run();
    eventually_counted(3);
    EXPECT_EQ(store_.state().ads[1].impressions, 2);
    EXPECT_EQ(store_.state().ads[1].cost.value, 20'000);
    EXPECT_EQ(store_.state().ads[2].impressions, 1);
    EXPECT_EQ(store_.state().books.duplicates, 1);
}

TEST_F(ProcessorTest, ALostRequestIsRepeatedAndALostAnswerIsNot) {
    for (Fault fault : {Fault::lose_request, Fault::lose_answer}) {
        SCOPED_TRACE(static_cast<int>(fault));
        store_.roll_back_to({});
        store_.next_faults(fault, 3);
        put(1, "e" + std::to_string(static_cast<int>(fault)));
        if (!processor_)
            run();
        auto all = static_cast<std::int64_t>(log_.all("ad-events").size());
        eventually_counted(all);
        EXPECT_EQ(store_.state().ads[1].impressions, all);
    }
}

TEST_F(ProcessorTest, AStoreThatLostItsTailIsFilledAgainFromTheLog) {
    put(1, "a");
    put(2, "b");
    run();
    eventually_counted(2);
    MemoryStore::State earlier = store_.state();
    put(1, "c");
    put(1, "a");
    eventually_counted(3);
    eventually([&] { return store_.state().books.duplicates == 1; });
    store_.roll_back_to(earlier);
    eventually([&] { return store_.state().books.duplicates == 1; });
    EXPECT_EQ(store_.state().books.counted, 3);
    EXPECT_EQ(store_.state().ads[1].impressions, 2);
}

TEST_F(ProcessorTest, AnEmptyStoreIsFilledFromTheBeginning) {
    for (int i = 0; i < 100; ++i)
        put(i % 5 + 1, std::to_string(i));
    run();
    eventually_counted(100);
    store_.roll_back_to({});
    eventually_counted(100);
    EXPECT_GE(processor_->snapshot().rewinds, 1u);
}

TEST_F(ProcessorTest, ANewProcessorKnowsWhatTheOldOneSaw) {
    put(1, "a", start);
    run();
    eventually_counted(1);
    stop();
    put(1, "a", start + 599'999);  // within ten minutes of log time: a duplicate
    put(1, "b", start + 599'999);
    run();
    eventually_counted(2);
    EXPECT_EQ(store_.state().books.duplicates, 1);
    stop();
    put(1, "b", start + 599'999 + 660'001);  // past the window: counts again
    run();
    eventually_counted(3);
}

TEST_F(ProcessorTest, ALateRecordIsADoubleOfWhatStoodThereSinceItWasReceived) {
    constexpr std::int64_t hour = 3'600'000;
    put(1, "before", start - hour);
    put(1, "arrived", start);  // Kafka took it and did not answer: it was spooled as well
    put(2, "arrived", start);
    run();
    eventually_counted(3);
    // Passed on after an outage of an hour, with what never arrived.
    put_late(1, "arrived", start, start + hour);
    put_late(1, "spooled", start + 1, start + hour);
    put_late(1, "spooled", start + 1, start + hour + 1);  // a batch was passed on again
    eventually_counted(4);
    // A legitimate use of an old id is none, however late it is.
    put_late(1, "before", start, start + hour + 2);
    eventually_counted(5);
    put(1, "arrived", start + hour + 3);  // its client repeats it now: within the window
    stop();
    // Another processor, in the midst of it, comes to the same verdicts.
    put_late(1, "arrived", start - 1, start + hour + 4);
    put_late(1, "new", start - 1, start + hour + 5);
    run();
    eventually_counted(6);
    EXPECT_EQ(store_.state().books.duplicates, 4);
}

TEST_F(ProcessorTest, ALateRecordHoldsItsPartitionUpUntilTheLogCanBeRead) {
    put(1, "a", start);
    run();
    eventually_counted(1);
    log_.refuse_reads(true);
    put_late(1, "a", start, start + 2'000'000);
    eventually(
        [&] { return processor_->snapshot().trouble.find("what spooled events may double") == 0; });
    put(1, "b", start + 2'000'001);
    log_.refuse_reads(false);
    eventually_counted(2);
    EXPECT_EQ(store_.state().books.duplicates, 1);
}

TEST_F(ProcessorTest, RecordsThatRetentionRemovedAreBookedAsExpired) {
    put(1, "a");
    run();
    eventually_counted(1);
    log_.expire_before(1, 5);
    for (int i = 0; i < 6; ++i)
        put(1, std::to_string(i));
    eventually_counted(3);
    eventually([&] { return store_.state().books.expired == 4; });
    EXPECT_TRUE(processor_->snapshot().ready || !processor_->snapshot().trouble.empty());
}

// A transaction leaves one behind what it wrote.
TEST_F(ProcessorTest, OffsetsWithoutRecordsAreBookedAsExpired) {
    put(1, "a");
    log_.put_marker(1);
    put(1, "b");
    log_.put_marker(1);
    run();
    eventually_counted(2);
    eventually([&] { return store_.state().offsets[1] == 4; });
    EXPECT_EQ(store_.state().books.expired, 2);
    stop();
    log_.put_marker(1);
    put(1, "a");
    put(1, "c");
    log_.put_marker(1);
    run();
    eventually_counted(3);
    eventually([&] { return store_.state().offsets[1] == 8; });
    EXPECT_EQ(store_.state().books.expired, 4);
    EXPECT_EQ(store_.state().books.duplicates, 1);
    eventually_well();
}

TEST_F(ProcessorTest, WhatIsRestoredIsReadInSlicesBetweenWhichTheGroupIsServed) {
    for (int i = 0; i < 300; ++i) {
        put(1, std::to_string(i));
        put(2, std::to_string(i));
    }
    run();
    eventually_counted(600);
    stop();
    log_.read_at_most(10);
    for (int i = 200; i < 310; ++i) {
        put(1, std::to_string(i));
        put(2, std::to_string(i));
    }
    // Late: what may be its double is read from the log, too.
    put_late(1, "299", start, start + 1'000'000);
    put_late(1, "spooled", start, start + 1'000'000);
    run();
    eventually_counted(621);
    EXPECT_EQ(store_.state().books.duplicates, 201);
    EXPECT_LE(log_.most_reads_without_poll(), 6) << "as few as there are partitions";
}

// Two processors that both believe to own everything: the guard lets each step happen once.
TEST_F(ProcessorTest, AZombieNeverCountsTwice) {
    run();
    Options options;
    options.flush_interval = Milliseconds{2};
    options.verify_interval = Milliseconds{3};
    MetricPublisher publisher(log_, "ad-metrics", clock_, {});
    observability::MetricRegistry metrics("zombie");
    Processor zombie(options, log_, store_, thresholds_, publisher, clock_, metrics, crash_points_);
    zombie.start();
    for (int i = 0; i < 2'000; ++i)
        put(i % 7 + 1, std::to_string(i % 1'500));
    eventually([&] {
        auto books = store_.state().books;
        return books.counted + books.duplicates == 2'000;
    });
    std::int64_t impressions = 0;
    for (const auto& [ad, delta] : store_.state().ads)
        impressions += delta.impressions;
    EXPECT_EQ(impressions, store_.state().books.counted);
}

// Faults of every kind in random order; the counts come out as if nothing had happened.
TEST_F(ProcessorTest, RandomFaultsLeaveTheCountsExact) {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        std::int64_t before = store_.state().books.counted;
        if (!processor_)
            run();
        MemoryStore::State earlier = store_.state();
        for (int i = 0; i < 500; ++i) {
            put(static_cast<std::int64_t>(random() % 9 + 1),
                std::to_string(seed) + "-" + std::to_string(i));
            switch (random() % 40) {
                case 0:
                    store_.next_faults(Fault::lose_request, 2);
                    break;
                case 1:
                    store_.next_faults(Fault::lose_answer, 2);
                    break;
                case 2:
                    earlier = store_.state();
                    break;
                case 3:
                    store_.roll_back_to(earlier);
                    break;
                default:
                    break;
            }
        }
        eventually_counted(before + 500);
    }
    std::int64_t impressions = 0;
    for (const auto& [ad, delta] : store_.state().ads)
        impressions += delta.impressions;
    EXPECT_EQ(impressions, 2'500);
}

}  // namespace
}  // namespace adtally::processor
