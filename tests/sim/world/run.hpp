// Many worlds, a thread each at a time; the first that breaks a promise ends it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/world/faults.hpp"
#include "sim/world/profile.hpp"
#include "sim/world/setting.hpp"
#include "sim/world/work.hpp"

namespace adtally::sim {

struct Plan {
    std::uint64_t first_seed = 1;
    std::uint64_t seeds = 100'000;
    std::size_t threads = 1;
    PlantedBug bug = PlantedBug::none;
    bool keep_going = false;  // after a failure
};

struct Failure {
    std::uint64_t seed = 0;
    std::string findings;  // lines: expected, found
};

struct Report {
    std::uint64_t seeds = 0;         // run
    std::uint64_t failed = 0;        // of them
    std::optional<Failure> failure;  // of the lowest seed that failed, whatever the threads did
    FaultCounts faults;
    Work work;
};

Report run_seeds(const Plan& plan);
// One of them, with its account. Silences the logs of the whole process, as run_seeds() does.
Report run_seed(std::uint64_t seed, PlantedBug bug, const Sink& account);

// Of the world that this thread is in: for who must say where an assertion has failed.
std::uint64_t current_seed();

}  // namespace adtally::sim
