// adtally-sim: runs simulated worlds by seed and says whether every event was counted exactly once.
//
//     adtally-sim                                  100,000 seeds, all cores
//     adtally-sim --seed 4711                      one of them, with the account of every step
//     adtally-sim --planted-bug less-than          shows that a defect is found, and where
//
// Exit code: 0 when every promise was kept, 1 when one was broken, 2 for wrong usage.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "sim/world/run.hpp"

namespace {

using namespace adtally::sim;

const std::map<std::string, PlantedBug> bugs{{"none", PlantedBug::none},
                                             {"less-than", PlantedBug::less_than},
                                             {"forgotten-window", PlantedBug::forgotten_window},
                                             {"early-answer", PlantedBug::early_answer}};

struct Options {
    Plan plan;
    std::optional<std::uint64_t> seed;
    std::string bug = "none";
};

void describe(CLI::App& app, Options& options) {
    app.add_option("--seeds", options.plan.seeds, "how many worlds")->capture_default_str();
    app.add_option("--first-seed", options.plan.first_seed, "of them")->capture_default_str();
    app.add_option("--seed", options.seed, "this one alone, with the account of every step");
    app.add_option("--threads", options.plan.threads, "worlds at once; default: a core each")
        ->check(CLI::Range(1, 256));
    app.add_flag("--keep-going", options.plan.keep_going, "count all that fail");
    app.add_option("--planted-bug", options.bug, "a defect that must be found")
        ->check(CLI::IsMember(bugs))
        ->capture_default_str();
}

// An assertion of the processor ends the process: it must not take the seed with it.
void on_abort(int) {
    std::array<char, 24> text{};
    std::size_t at = text.size();
    for (std::uint64_t rest = current_seed(); rest > 0 && at > 0; rest /= 10)
        text[--at] = static_cast<char>('0' + rest % 10);
    constexpr std::string_view before = "adtally-sim: died; again: adtally-sim --seed ";
    // Nothing can be done where this fails.
    (void)!::write(STDERR_FILENO, before.data(), before.size());
    (void)!::write(STDERR_FILENO, text.data() + at, text.size() - at);
    (void)!::write(STDERR_FILENO, "\n", 1);
}

void print_faults(const FaultCounts& faults) {
    for (std::size_t i = 0; i < fault_kinds; ++i)
        fmt::print("{:>12}  {}\n", faults.of[i], to_string(static_cast<Fault>(i)));
}

int tell(const Report& report, const Options& options, double seconds) {
    print_faults(report.faults);
    fmt::print("{:>12}  events acknowledged\n{:>12}  records in the log\n{:>12}  flushes applied\n",
               report.work.acknowledged, report.work.records, report.work.flushes);
    std::uint64_t faults = 0;
    for (const std::uint64_t count : report.faults.of)
        faults += count;
    if (report.failure) {
        const std::string bug =
            options.plan.bug == PlantedBug::none ? "" : " --planted-bug " + options.bug;
        fmt::print("seed {} FAILED\n{}again: adtally-sim --seed {}{}\n", report.failure->seed,
                   report.failure->findings, report.failure->seed, bug);
    }
    fmt::print("{} seeds, {} faults, {:.1f} s: {}\n", report.seeds, faults, seconds,
               report.failure ? fmt::format("{} FAILED", report.failed)
                              : "every acknowledged event counted exactly once");
    return report.failure ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    options.plan.threads = std::max(1u, std::thread::hardware_concurrency());
    CLI::App app{"Simulates collectors, log, processors and Redis with faults, world by world.",
                 "adtally-sim"};
    describe(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    options.plan.bug = bugs.at(options.bug);
    std::signal(SIGABRT, on_abort);
    const auto began = std::chrono::steady_clock::now();
    const Report report = options.seed
                              ? run_seed(*options.seed, options.plan.bug,
                                         [](std::string_view line) { fmt::print("{}\n", line); })
                              : run_seeds(options.plan);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    return tell(report, options, took.count());
}
