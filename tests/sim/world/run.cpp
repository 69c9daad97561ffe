#include "sim/world/run.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "platform/observability/log.hpp"
#include "platform/observability/metrics.hpp"
#include "sim/world/system_random.hpp"
#include "sim/world/world.hpp"

namespace adtally::sim {
namespace {

thread_local std::uint64_t seed_of_this_thread = 0;

void run_one(std::uint64_t seed, PlantedBug bug, const Sink& account,
             observability::MetricRegistry& metrics, Report& into) {
    seed_of_this_thread = seed;
    seed_system_random(seed);
    World world(seed, bug, account, metrics);
    std::string findings = world.run();
    into.seeds += 1;
    into.faults.add(world.faults());
    into.work.add(world.work());
    if (findings.empty())
        return;
    into.failed += 1;
    if (!into.failure)
        into.failure = Failure{seed, std::move(findings)};
}

void merge(Report& into, Report&& from) {
    into.seeds += from.seeds;
    into.failed += from.failed;
    into.faults.add(from.faults);
    into.work.add(from.work);
    if (from.failure && (!into.failure || from.failure->seed < into.failure->seed))
        into.failure = std::move(from.failure);
}

}  // namespace

std::uint64_t current_seed() {
    return seed_of_this_thread;
}

Report run_seed(std::uint64_t seed, PlantedBug bug, const Sink& account) {
    observability::set_level(observability::Level::off);
    observability::MetricRegistry metrics("sim");
    Report report;
    run_one(seed, bug, account, metrics, report);
    return report;
}

// Seeds are given out in order, so every seed below one that fails is run to its end.
Report run_seeds(const Plan& plan) {
    observability::set_level(observability::Level::off);
    std::atomic<std::uint64_t> given{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    Report all;
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < plan.threads; ++i)
        threads.emplace_back([&] {
            observability::MetricRegistry metrics("sim");
            Report report;
            while (!failed) {
                const std::uint64_t number = given++;
                if (number >= plan.seeds)
                    break;
                run_one(plan.first_seed + number, plan.bug, {}, metrics, report);
                if (report.failure && !plan.keep_going)
                    failed = true;
            }
            std::lock_guard lock(mutex);
            merge(all, std::move(report));
        });
    threads.clear();  // joins them
    return all;
}

}  // namespace adtally::sim
