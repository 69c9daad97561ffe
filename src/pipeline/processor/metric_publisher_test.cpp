#include "pipeline/processor/metric_publisher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "pipeline/processor/fakes/memory_log.hpp"

namespace adtally::processor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MetricPublisherTest : public testing::Test {
protected:
    void count(std::int64_t ad, std::int64_t impressions) {
        EntityTotals totals{Entity::ad, ad, {}};
        totals.values.impressions = impressions;
        publisher_.touched(std::array{totals});
    }
    void pass(Milliseconds time) {
        clock_.advance(time);
        publisher_.tick();
    }

    ManualClock clock_{TimestampMs{1'705'327'402'000}};
    fakes::MemoryLog log_{1};
    std::vector<std::string> told_;
    MetricPublisher publisher_{
        log_, "ad-metrics", clock_, {[this](const std::string& json) { told_.push_back(json); }}};
};

TEST_F(MetricPublisherTest, TellsTheNewestValuesAtMostOnceASecond) {
    count(1, 10);
    pass(Milliseconds{1'000});
    count(1, 11);
    pass(Milliseconds{500});
    count(1, 12);
    EXPECT_THAT(told_, ElementsAre(HasSubstr(R"("impressions":10,)")));
    pass(Milliseconds{500});
    EXPECT_THAT(told_,
                ElementsAre(HasSubstr(R"("impressions":10,)"), HasSubstr(R"("impressions":12,)")));
}

TEST_F(MetricPublisherTest, WhatIsForgottenIsNotToldButWhatComesAfterIs) {
    count(1, 10);
    publisher_.forget_waiting();
    pass(Milliseconds{1'000});
    EXPECT_THAT(told_, IsEmpty());
    count(1, 25);
    pass(Milliseconds{1'000});
    EXPECT_THAT(told_, ElementsAre(HasSubstr(R"("impressions":25,)")));
}

TEST_F(MetricPublisherTest, AFlushTellsAllThatWaits) {
    count(1, 10);
    pass(Milliseconds{1'000});
    count(1, 11);
    count(2, 1);
    publisher_.flush();
    EXPECT_EQ(told_.size(), 3u);
    pass(Milliseconds{2'000});
    EXPECT_EQ(told_.size(), 3u) << "nothing is told twice";
}

}  // namespace
}  // namespace adtally::processor
