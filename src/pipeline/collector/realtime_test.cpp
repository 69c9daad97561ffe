// Folding and flushing of the realtime counters, with a store that can be away.
#include "pipeline/collector/realtime.hpp"

#include <gmock/gmock.h>

#include "pipeline/collector/test_support.hpp"

namespace adtally::collector {
namespace {

using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class RealtimeTest : public testing::Test {
protected:
    double dropped() {
        return metrics.counter("adtally_collector_realtime_dropped_total", "").value();
    }
    void count(domain::EventType type, std::int64_t second, int times = 1) {
        for (int i = 0; i < times; ++i)
            realtime.count(EventCounts::one(type), second);
    }

    ManualClock clock{test_now};
    observability::MetricRegistry metrics{"data-collector"};
    FakeRealtimeStore store;
    Realtime realtime{store, clock, metrics, Milliseconds{250}};
};

TEST_F(RealtimeTest, FoldsByTypeAndSecond) {
    count(domain::EventType::impression, test_second, 3);
    count(domain::EventType::click, test_second);
    count(domain::EventType::impression, test_second - 1, 2);
    realtime.flush();

    EXPECT_THAT(store.stored(), UnorderedElementsAre(Pair("realtime:impression:1705327402", 3),
                                                     Pair("realtime:click:1705327402", 1),
                                                     Pair("realtime:impression:1705327401", 2)));
}

TEST_F(RealtimeTest, FlushesEachCountOnceAndNothingWhenThereIsNothing) {
    count(domain::EventType::conversion, test_second);
    realtime.flush();
    realtime.flush();
    count(domain::EventType::conversion, test_second);
    realtime.flush();

    EXPECT_THAT(store.stored(), UnorderedElementsAre(Pair("realtime:conversion:1705327402", 2)));
    EXPECT_EQ(store.calls(), 2);
}

TEST_F(RealtimeTest, KeepsCountsWhileTheStoreIsAway) {
    store.set_away(true);
    count(domain::EventType::click, test_second);
    realtime.flush();
    clock.advance(Milliseconds{600'000});
    count(domain::EventType::click, test_second + 600);
    realtime.flush();
    EXPECT_THAT(store.stored(), IsEmpty());

    store.set_away(false);
    realtime.flush();

    EXPECT_THAT(store.stored(), UnorderedElementsAre(Pair("realtime:click:1705327402", 1),
                                                     Pair("realtime:click:1705328002", 1)));
}

TEST_F(RealtimeTest, DropsWhatIsOlderThanAQuarterOfAnHour) {
    store.set_away(true);
    count(domain::EventType::click, test_second, 5);
    count(domain::EventType::click, test_second + 60);
    clock.advance(Milliseconds{960'000});
    store.set_away(false);
    realtime.flush();

    EXPECT_EQ(dropped(), 5);
    EXPECT_THAT(store.stored(), UnorderedElementsAre(Pair("realtime:click:1705327462", 1)));
}

TEST_F(RealtimeTest, ItsThreadFlushesAndStopFlushesTheRest) {
    realtime.start();
    count(domain::EventType::click, test_second);
    realtime.stop();

    EXPECT_THAT(store.stored(), UnorderedElementsAre(Pair("realtime:click:1705327402", 1)));
}

TEST(RealtimeCollector, CountsWhatIsDurableAndNothingElse) {
    TestBed bed;
    bed.post_batch(R"([{"type":"click","ad_id":7,"campaign_id":3},)"
                   R"({"type":"impression","ad_id":7,"campaign_id":3},)"
                   R"({"type":"impression","ad_id":7,"campaign_id":3}])");
    bed.log.complete_with(Error{ErrorCode::unavailable, ""});
    bed.post_event(R"({"type":"click","ad_id":7,"campaign_id":3})");
    bed.realtime.flush();

    EXPECT_THAT(bed.store.stored(), UnorderedElementsAre(Pair("realtime:impression:1705327402", 2),
                                                         Pair("realtime:click:1705327402", 1)));
}

}  // namespace
}  // namespace adtally::collector
