#include "platform/observability/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <thread>

#include "base/clock.hpp"
#include "platform/observability/log.hpp"

namespace adtally::observability {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);)
        out.push_back(line);
    return out;
}

// The part that the test registered: every line that names a metric with this prefix.
std::string only(const std::string& text, const std::string& prefix) {
    std::string out;
    for (const std::string& line : lines_of(text)) {
        std::istringstream words(line);
        std::string first;
        words >> first;
        if (first == "#")
            words >> first >> first;
        if (first.rfind(prefix, 0) == 0)
            out += line + "\n";
    }
    return out;
}

double value_of(const std::string& text, const std::string& series) {
    for (const std::string& line : lines_of(text)) {
        if (line.rfind(series + " ", 0) == 0)
            return std::stod(line.substr(series.size() + 1));
    }
    ADD_FAILURE() << series << " is not in\n" << text;
    return std::numeric_limits<double>::quiet_NaN();
}

class Metrics : public testing::Test {
protected:
    ManualClock clock_{TimestampMs{1'705'327'402'123}};
    MetricRegistry metrics_{"data-collector", clock_};
};

TEST_F(Metrics, TextIsGolden) {
    metrics_.counter("test_events_total", "Events", {{"type", "click"}}).add(3);
    metrics_.counter("test_events_total", "Events", {{"type", "a\"b\\c\nd"}}).add(0.5);
    metrics_.counter("test_bytes_total", "Two\nlines \\ here").add(12'345'678'901.0);
    metrics_.gauge(this, "test_lag", "Lag", {{"zone", "z"}, {"partition", "0"}},
                   [] { return 0.1; });
    Timer& timer = metrics_.timer("test_flush_seconds", "Flushes", {{"zone", "z"}});
    for (const double seconds : {0.0004, 0.001, 0.0011, 0.2, 99.0})
        timer.observe_seconds(seconds);
    EXPECT_EQ(only(metrics_.prometheus_text(), "test_"),
              R"(# HELP test_bytes_total Two\nlines \\ here
# TYPE test_bytes_total counter
test_bytes_total{application="data-collector"} 12345678901
# HELP test_events_total Events
# TYPE test_events_total counter
test_events_total{application="data-collector",type="a\"b\\c\nd"} 0.5
test_events_total{application="data-collector",type="click"} 3
# HELP test_flush_seconds Flushes
# TYPE test_flush_seconds histogram
test_flush_seconds_count{application="data-collector",zone="z"} 5
test_flush_seconds_sum{application="data-collector",zone="z"} 99.2025
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.001"} 2
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.0025"} 3
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.005"} 3
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.01"} 3
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.025"} 3
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.05"} 3
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.1"} 3
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.25"} 4
test_flush_seconds_bucket{application="data-collector",zone="z",le="0.5"} 4
test_flush_seconds_bucket{application="data-collector",zone="z",le="1"} 4
test_flush_seconds_bucket{application="data-collector",zone="z",le="2.5"} 4
test_flush_seconds_bucket{application="data-collector",zone="z",le="5"} 4
test_flush_seconds_bucket{application="data-collector",zone="z",le="10"} 4
test_flush_seconds_bucket{application="data-collector",zone="z",le="+Inf"} 5
# HELP test_flush_seconds_max Flushes
# TYPE test_flush_seconds_max gauge
test_flush_seconds_max{application="data-collector",zone="z"} 99
# HELP test_lag Lag
# TYPE test_lag gauge
test_lag{application="data-collector",partition="0",zone="z"} 0.1
)");
}

TEST_F(Metrics, BuiltInFamiliesAreGolden) {
    std::string families;
    for (const std::string& line : lines_of(metrics_.prometheus_text())) {
        if (line.rfind("# TYPE ", 0) == 0)
            families += line.substr(7) + "\n";
    }
    EXPECT_EQ(families,
              "disk_free_bytes gauge\n"
              "disk_total_bytes gauge\n"
              "logback_events_total counter\n"
              "process_cpu_seconds_total counter\n"
              "process_cpu_usage gauge\n"
              "process_files_max_files gauge\n"
              "process_files_open_files gauge\n"
              "process_resident_memory_bytes gauge\n"
              "process_start_time_seconds gauge\n"
              "process_uptime_seconds gauge\n"
              "system_cpu_count gauge\n"
              "system_cpu_usage gauge\n"
              "system_load_average_1m gauge\n");
}

TEST_F(Metrics, EverySeriesCarriesTheApplicationAndEveryFamilyHelpAndType) {
    metrics_.mark_ready();
    metrics_.counter("test_total", "").add(1);
    std::set<std::string> helped;
    std::set<std::string> typed;
    for (const std::string& line : lines_of(metrics_.prometheus_text())) {
        std::istringstream words(line);
        std::string mark;
        std::string kind;
        std::string name;
        words >> mark >> kind >> name;
        if (mark != "#") {
            EXPECT_THAT(line, HasSubstr("application=\"data-collector\""));
            continue;
        }
        std::string rest;
        std::getline(words, rest);
        EXPECT_GT(rest.size(), 1u) << line;
        EXPECT_TRUE((kind == "HELP" ? helped : typed).insert(name).second) << line;
    }
    EXPECT_EQ(helped, typed);
    EXPECT_TRUE(helped.contains("test_total"));
}

TEST_F(Metrics, BuiltInFiguresAreThoseOfThisProcess) {
    const std::string text = metrics_.prometheus_text();
    const std::string label = "{application=\"data-collector\"}";
    const double now = static_cast<double>(SystemClock().wall().value) / 1000;
    const double started = value_of(text, "process_start_time_seconds" + label);
    const double uptime = value_of(text, "process_uptime_seconds" + label);
    EXPECT_GT(started, 1e9);
    EXPECT_LE(started, now);
    EXPECT_GE(uptime, 0);
    EXPECT_NEAR(started + uptime, now, 5);
    EXPECT_GT(value_of(text, "process_cpu_seconds_total" + label), 0);
    EXPECT_GT(value_of(text, "process_resident_memory_bytes" + label), 1e6);
    EXPECT_GE(value_of(text, "process_files_open_files" + label), 3);
    EXPECT_GE(value_of(text, "process_files_max_files" + label),
              value_of(text, "process_files_open_files" + label));
    EXPECT_GE(value_of(text, "system_cpu_count" + label), 1);
    const double usage = value_of(text, "process_cpu_usage" + label);
    EXPECT_GE(usage, 0);
    EXPECT_LE(usage, 1);
    EXPECT_THAT(text, HasSubstr("disk_free_bytes{application=\"data-collector\",path=\"/"));
}

TEST_F(Metrics, LogLinesAreCountedByLevel) {
    const std::string series =
        "logback_events_total{application=\"data-collector\",level=\"warn\"}";
    const double before = value_of(metrics_.prometheus_text(), series);
    testing::internal::CaptureStdout();
    Logger("test").warn("one");
    testing::internal::GetCapturedStdout();
    EXPECT_EQ(value_of(metrics_.prometheus_text(), series), before + 1);
}

TEST_F(Metrics, TimeToReadyIsToldOnceReady) {
    EXPECT_THAT(metrics_.prometheus_text(), Not(HasSubstr("application_ready_time_seconds")));
    metrics_.mark_ready();
    const std::string text = metrics_.prometheus_text();
    EXPECT_GE(value_of(text, "application_started_time_seconds{application=\"data-collector\"}"),
              0);
    EXPECT_GE(value_of(text, "application_ready_time_seconds{application=\"data-collector\"}"), 0);
}

TEST_F(Metrics, TheSameNameAndLabelsAreTheSameObject) {
    Counter& counter = metrics_.counter("test_total", "Help", {{"a", "1"}, {"b", "2"}});
    EXPECT_EQ(&counter, &metrics_.counter("test_total", "Other", {{"b", "2"}, {"a", "1"}}));
    EXPECT_NE(&counter, &metrics_.counter("test_total", "Help", {{"a", "2"}, {"b", "2"}}));
    EXPECT_EQ(&metrics_.timer("test_seconds", "Help"), &metrics_.timer("test_seconds", "Help"));
    counter.add(1);
    counter.add(1.5);
    EXPECT_EQ(counter.value(), 2.5);
    EXPECT_THAT(metrics_.prometheus_text(), HasSubstr("# HELP test_total Help\n"));
}

TEST_F(Metrics, AMaximumFadesAfterTwoMinutes) {
    Timer& timer = metrics_.timer("test_seconds", "Help");
    const auto max = [&] {
        return value_of(metrics_.prometheus_text(),
                        "test_seconds_max{application=\"data-collector\"}");
    };
    EXPECT_EQ(max(), 0);
    timer.observe_seconds(2);
    timer.observe_seconds(1);
    EXPECT_EQ(max(), 2);
    clock_.advance(Milliseconds{60'000});
    timer.observe_seconds(0.25);
    EXPECT_EQ(max(), 2);
    clock_.advance(Milliseconds{60'000});
    EXPECT_EQ(max(), 0.25);
    clock_.advance(Milliseconds{600'000});
    EXPECT_EQ(max(), 0);
    timer.observe_seconds(0.125);
    EXPECT_EQ(max(), 0.125) << "an old slot is used anew";
}

TEST_F(Metrics, OddObservationsAreBounded) {
    Timer& timer = metrics_.timer("test_seconds", "Help");
    for (const double odd : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()})
        timer.observe_seconds(odd);
    const std::string text = metrics_.prometheus_text();
    const std::string label = "{application=\"data-collector\"}";
    EXPECT_EQ(value_of(text, "test_seconds_count" + label), 3);
    EXPECT_EQ(value_of(text, "test_seconds_sum" + label), 1e6);
}

TEST_F(Metrics, GaugesGoWithTheirOwner) {
    int owner = 0;
    int heir = 0;
    metrics_.gauge(&owner, "test_a", "A", {}, [] { return 1.0; });
    metrics_.gauge(&owner, "test_b", "B", {}, [] { return 1.0; });
    metrics_.gauge(&heir, "test_b", "B", {}, [] { return 2.0; });
    EXPECT_EQ(value_of(metrics_.prometheus_text(), "test_b{application=\"data-collector\"}"), 2);
    metrics_.remove_gauges(&owner);
    const std::string text = metrics_.prometheus_text();
    EXPECT_THAT(text, Not(HasSubstr("test_a")));
    EXPECT_EQ(value_of(text, "test_b{application=\"data-collector\"}"), 2);
    metrics_.remove_gauges(&heir);
    EXPECT_EQ(only(metrics_.prometheus_text(), "test_"), "");
}

TEST_F(Metrics, NothingIsLostBetweenThreads) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 50'000;
    std::atomic<bool> stop{false};
    std::thread scraping([&] {
        while (!stop)
            metrics_.prometheus_text();
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([this] {
            Counter& counter = metrics_.counter("test_total", "Help");
            Timer& timer = metrics_.timer("test_seconds", "Help");
            for (int i = 0; i < kRounds; ++i) {
                counter.add(1);
                timer.observe_seconds(0.5);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    stop = true;
    scraping.join();
    const std::string text = metrics_.prometheus_text();
    const std::string label = "{application=\"data-collector\"}";
    EXPECT_EQ(value_of(text, "test_total" + label), kThreads * kRounds);
    EXPECT_EQ(value_of(text, "test_seconds_count" + label), kThreads * kRounds);
    EXPECT_EQ(value_of(text, "test_seconds_sum" + label), kThreads * kRounds * 0.5);
    EXPECT_EQ(value_of(text, "test_seconds_max" + label), 0.5);
}

TEST(MetricsDeathTest, WhatWouldBreakAScrapeIsABug) {
    MetricRegistry metrics("x");
    metrics.counter("test_total", "Help");
    EXPECT_DEATH(metrics.timer("test_total", "Help"), "") << "one name, two kinds";
    EXPECT_DEATH(metrics.counter("process_uptime_seconds", "Help"), "") << "built in";
    EXPECT_DEATH(metrics.counter("with-dash", "Help"), "");
    EXPECT_DEATH(metrics.counter("test_a_total", "Help", {{"application", "y"}}), "");
    EXPECT_DEATH(metrics.counter("test_b_total", "Help").add(-1), "");
}

}  // namespace
}  // namespace adtally::observability
