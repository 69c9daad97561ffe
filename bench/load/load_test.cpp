#include <gmock/gmock.h>

#include <algorithm>
#include <boost/json.hpp>
#include <random>
#include <vector>

#include "load/histogram.hpp"
#include "load/report.hpp"
#include "load/schedule.hpp"

namespace adtally::load {
namespace {

using ::testing::HasSubstr;

TEST(Histogram, IsExactBelowAThousand) {
    Histogram histogram;
    for (std::uint64_t value = 1; value <= 1'000; ++value) {
        histogram.add(value);
    }
    EXPECT_EQ(histogram.percentile(0), 1u);
    EXPECT_EQ(histogram.percentile(0.5), 500u);
    EXPECT_EQ(histogram.percentile(0.99), 990u);
    EXPECT_EQ(histogram.percentile(0.999), 999u);
    EXPECT_EQ(histogram.percentile(1), 1'000u);
    EXPECT_DOUBLE_EQ(histogram.mean(), 500.5);
    EXPECT_EQ(histogram.max(), 1'000u);
}

TEST(Histogram, AgreesWithTheSortedValuesWithinAFifthOfAPercent) {
    std::mt19937_64 random{42};
    std::lognormal_distribution<double> latency{8, 2};
    std::vector<std::uint64_t> values;
    Histogram histogram;
    for (int i = 0; i < 100'000; ++i) {
        values.push_back(static_cast<std::uint64_t>(latency(random)));
        histogram.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (double share : {0.01, 0.5, 0.95, 0.99, 0.999}) {
        auto rank = static_cast<std::size_t>(share * 100'000) - 1;
        auto truth = static_cast<double>(values[rank]);
        auto said = static_cast<double>(histogram.percentile(share));
        EXPECT_GE(said, truth);
        EXPECT_LE(said, truth * 1.002 + 1);
    }
    EXPECT_EQ(histogram.percentile(1), values.back());
}

TEST(Histogram, TakesAnyValue) {
    Histogram histogram;
    EXPECT_EQ(histogram.percentile(0.5), 0u);
    histogram.add(0);
    histogram.add(~std::uint64_t{0});
    EXPECT_EQ(histogram.percentile(0.5), 0u);
    EXPECT_GT(histogram.percentile(1), std::uint64_t{1} << 39);
}

TEST(Histogram, MergingIsAddingAll) {
    Histogram one, two, both;
    for (std::uint64_t value = 0; value < 5'000; value += 7) {
        (value % 2 == 0 ? one : two).add(value);
        both.add(value);
    }
    one.merge(two);
    EXPECT_EQ(one.count(), both.count());
    EXPECT_EQ(one.percentile(0.9), both.percentile(0.9));
    EXPECT_DOUBLE_EQ(one.mean(), both.mean());
}

TEST(Schedule, RequestsAreEvenlyDue) {
    Moment start{};
    Schedule schedule{start, 10'000};
    EXPECT_EQ(schedule.due(0), start);
    EXPECT_EQ(schedule.due(1), start + std::chrono::microseconds{100});
    EXPECT_EQ(schedule.due(600'000), start + std::chrono::seconds{60});
}

TEST(Schedule, DoesNotDriftWithOddRates) {
    Moment start{};
    Schedule schedule{start, 3};
    Moment day = schedule.due(3 * 86'400);
    EXPECT_LT(std::chrono::abs(day - (start + std::chrono::hours{24})), Nanoseconds{1'000});
}

TEST(Schedule, CountsWhatIsDue) {
    Moment start{};
    Schedule schedule{start, 10};
    EXPECT_EQ(schedule.count_before(start), 0u);
    EXPECT_EQ(schedule.count_before(start + Nanoseconds{1}), 1u);
    EXPECT_EQ(schedule.count_before(start + std::chrono::seconds{1}), 10u);
    EXPECT_EQ(schedule.count_before(start + std::chrono::milliseconds{1'050}), 11u);
}

TEST(Report, IsTheSameForPeopleAndForScripts) {
    Report report;
    report.url = "http://localhost:1/p";
    report.asked_per_second = 100;
    report.engine.requests = 10;
    report.engine.acknowledged = 8;
    report.engine.events = 8;
    report.engine.seconds = 0.1;
    report.engine.statuses = {{202, 8}, {503, 1}};
    report.engine.errors = {{"timeout", 1}};
    report.engine.ack.add(1'000);
    report.cpu["adtally"] = CpuUsage{0.000'080, {{"col-io", 0.000'040}, {"proc-loop", 0.000'040}}};
    std::string text = to_text(report);
    EXPECT_THAT(text, HasSubstr("errors     2  202: 8  503: 1  timeout: 1"));
    EXPECT_THAT(text, HasSubstr("mean 1.00"));
    auto json = boost::json::parse(to_json(report));
    EXPECT_EQ(json.at("error_count"), 2);
    EXPECT_EQ(json.at("statuses").at("503"), 1);
    EXPECT_NEAR(
        json.at("cpu").at("adtally").at("threads").at("col-io").at("us_per_event").as_double(), 5,
        1e-9);
}

}  // namespace
}  // namespace adtally::load
