// What a seed decides about its world before anything happens in it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"
#include "pipeline/processor/options.hpp"
#include "sim/world/random.hpp"

namespace adtally::sim {

// A defect of ours, to show that the simulation would see it.
enum class PlantedBug : std::uint8_t {
    none,
    less_than,         // Redis applies a flush if its stored offset lies before the flush's end
    forgotten_window,  // a processor that takes over does not read the window back
    early_answer,      // a collector answers before the event is durable
};

// What a world does next, unless it is inside a call of a held processor.
enum class Action : std::uint8_t {
    step_processor,
    start_processor,
    stop_processor,
    rebalance,
    pass_time,
    send,
    send_again,
    send_after_window,
    send_at_edge,
    send_poison,
    drain,
    restart_collector,
    land_late_append,
    run_late_request,
    turn_log,
    turn_redis,
    fail_over,
    fence,
    count,
};

constexpr std::size_t action_kinds = static_cast<std::size_t>(Action::count);

struct Profile {
    std::int32_t partitions = 1;
    std::size_t hosts = 1;  // that a processor may run on
    std::size_t collectors = 1;
    std::size_t ads = 1;
    std::size_t actions = 0;
    std::int64_t base_ms = 0;       // wall time of the beginning
    std::int64_t skew_ms = 0;       // by which a clock is off at most, either way
    std::int64_t again_ms = 0;      // how long after its first sending a client repeats an event
    std::int64_t most_pass_ms = 0;  // of time at once, mostly
    bool eager = false;             // a rebalance takes everything before it gives anything
    bool tiny_window = false;       // so small that ids expire and come again
    processor::Options processor;
    std::array<std::uint32_t, action_kinds> weights{};
};

// How long after its receipt a record is appended without being late (ADR 0012).
constexpr std::int64_t late_after_ms(std::int64_t window_ms) {
    return std::min<std::int64_t>(60'000, window_ms / 10);
}
// As much of the log as a record is compared with that is not late.
constexpr std::int64_t remembered_ms(std::int64_t window_ms) {
    return window_ms + late_after_ms(window_ms);
}

Profile draw_profile(Random& random);

}  // namespace adtally::sim
