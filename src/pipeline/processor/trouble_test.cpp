// What holds the loop up is told, stops nothing that it need not, and is over when it is mended.
#include <gtest/gtest.h>
#include <string>
#include <utility>

#include "pipeline/processor/test_support.hpp"

namespace adtally::processor {
namespace {

using Fault = fakes::MemoryStore::Fault;

class Trouble : public ProcessorTest {};

TEST_F(Trouble, ARefusalIsToldAndTriedAgain) {
    store_.next_faults(Fault::refuse, -1);
    put(1, "a");
    run();
    eventually([&] { return processor_->snapshot().trouble == "told to refuse"; });
    EXPECT_FALSE(processor_->snapshot().ready);
    store_.next_faults(Fault::none, 0);
    eventually_counted(1);
    eventually([&] { return processor_->snapshot().ready; });
}

TEST_F(Trouble, ARefusalThatIsMendedByAnEmptyStoreIsOver) {
    put(1, "a");
    run();
    eventually_counted(1);
    store_.next_faults(Fault::refuse, -1);
    put(1, "b");
    eventually([&] { return processor_->snapshot().trouble == "told to refuse"; });
    store_.roll_back_to({});
    store_.next_faults(Fault::none, 0);
    eventually_counted(2);
    eventually([&] { return processor_->snapshot().ready; });
}

TEST_F(Trouble, NothingIsReadWhileTheStoreTakesNoWrites) {
    store_.next_faults(Fault::lose_request, -1);
    put(1, "first");
    run();
    eventually([&] { return processor_->snapshot().trouble == "told to lose the request"; });
    for (int i = 0; i < 1'000; ++i)
        put(1, std::to_string(i));
    eventually([&] { return processor_->snapshot().trouble == "told to lose the request"; });
    EXPECT_FALSE(processor_->snapshot().ready);
    EXPECT_LE(processor_->snapshot().pending_events, 1);
    store_.next_faults(Fault::none, 0);
    eventually_counted(1'001);
}

TEST_F(Trouble, APartitionThatCannotBeRestoredDoesNotHoldUpTheOthers) {
    put(1, "a");
    put(2, "a");
    log_.mute(0, true);
    run();
    eventually_counted(1);
    eventually_troubled("told to be mute");
    put(1, "b");
    eventually_counted(2);
    EXPECT_EQ(store_.state().ads[2].impressions, 0);
    EXPECT_FALSE(processor_->snapshot().ready);
    log_.mute(0, false);
    eventually_counted(3);
    eventually_well();
}

TEST_F(Trouble, APartitionWhoseRecordsDoNotComeIsATrouble) {
    put(1, "a");
    put(2, "a");
    run();
    eventually_counted(2);
    eventually_well();
    log_.withhold(1, true);
    put(1, "b");
    put(2, "b");
    eventually_troubled("partition 1 is stalled: the record at 1");
    EXPECT_EQ(store_.state().ads[2].impressions, 2) << "the other one is read";
    log_.withhold(1, false);
    eventually_counted(4);
    eventually_well();
}

TEST_F(Trouble, AQuietPartitionThatDoesNotAnswerIsATrouble) {
    put(1, "a");
    run();
    eventually_counted(1);
    eventually_well();
    log_.mute(1, true);
    eventually_troubled("partition 1 cannot be read: told to be mute");
    log_.mute(1, false);
    eventually_well();
}

// Its rights were taken, or its place in the group: another one is asked for, also for the bids.
TEST_F(Trouble, AReaderThatHasEndedIsReplaced) {
    const auto bid = [this](const std::string& text) {
        eventlog::RecordBatch batch;
        batch.add("1", text);
        log_.append("ad-catalog", std::move(batch), [](const Status&) {});
    };
    std::int64_t events = 0;
    const auto put_unpriced = [&] {
        const TestEvent made{.id = std::to_string(events++)};  // the event views it
        domain::Event event = to_event(made);
        event.has_cost = false;
        std::string text;
        domain::append_canonical(event, text);
        log_.put(1, TimestampMs{start}, text);
    };
    bid(R"({"model":"CPC","bid_micros":5})");
    run();
    put_unpriced();
    eventually_counted(events);
    EXPECT_EQ(store_.state().ads[1].cost.value, 0);
    log_.end_readers();
    bid(R"({"model":"CPM","bid_micros":1000000})");
    eventually([&] {
        put_unpriced();
        return store_.state().ads[1].cost.value > 0;
    });
    eventually_counted(events);
    eventually_well();
}

}  // namespace
}  // namespace adtally::processor
