// What an add and an observation cost, alone and with two threads on the same series; a standing
// histogram of prometheus-cpp, which locks, is the control.
#include <benchmark/benchmark.h>
#include <prometheus/histogram.h>

#include "platform/observability/metrics.hpp"

namespace adtally::observability {
namespace {

MetricRegistry& registry() {
    static MetricRegistry metrics("bench");
    return metrics;
}

void counter_add(benchmark::State& state) {
    Counter& counter = registry().counter("bench_total", "Adds");
    for (auto _ : state)
        counter.add(1);
}

void timer_observe(benchmark::State& state) {
    Timer& timer = registry().timer("bench_seconds", "Observations");
    for (auto _ : state)
        timer.observe_seconds(0.003);
}

void control_prometheus_histogram(benchmark::State& state) {
    static prometheus::Histogram histogram(
        {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0});
    for (auto _ : state)
        histogram.Observe(0.003);
}

void scrape(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(registry().prometheus_text());
}

BENCHMARK(counter_add)->Threads(1)->Threads(2);
BENCHMARK(timer_observe)->Threads(1)->Threads(2);
BENCHMARK(control_prometheus_histogram)->Threads(1)->Threads(2);
BENCHMARK(scrape);

}  // namespace
}  // namespace adtally::observability
