#include "sim/world/profile.hpp"

namespace adtally::sim {
namespace {

// In the order of Action.
constexpr std::array<std::uint32_t, action_kinds> usual_weights{
    420,  // step_processor
    30,   // start_processor
    6,    // stop_processor
    25,   // rebalance
    140,  // pass_time
    150,  // send
    50,   // send_again
    20,   // send_after_window
    5,    // send_at_edge
    12,   // send_poison
    60,   // drain
    40,   // restart_collector
    20,   // land_late_append
    20,   // run_late_request
    12,   // turn_log
    12,   // turn_redis
    12,   // fail_over
    10,   // fence
};

constexpr std::int64_t cycle_of_32_bits = std::int64_t{1} << 32;
constexpr std::int64_t some_day = 1'705'327'402'000;  // 2024-01-15T14:03:22Z

// The deduplicator keeps times modulo 2^32: some worlds live where that begins anew.
std::int64_t draw_base(Random& random) {
    if (!random.one_in(4))
        return some_day + random.between(0, 86'400'000);
    return some_day / cycle_of_32_bits * cycle_of_32_bits - random.between(0, 2'000);
}

processor::Options draw_options(Random& random, bool tiny_window) {
    constexpr std::array<std::int64_t, 5> flush_ms{1, 5, 20, 20, 100};
    constexpr std::array<std::size_t, 5> flush_events{1, 4, 16, 64, 50'000};
    constexpr std::array<std::size_t, 4> poll_records{1, 5, 20, 5'000};
    constexpr std::array<std::size_t, 3> flush_keys{3, 20, 5'000};
    constexpr std::array<std::int64_t, 3> verify_ms{50, 500, 5'000};
    processor::Options options;
    options.flush_interval = Milliseconds{flush_ms[random.below(flush_ms.size())]};
    options.flush_events = flush_events[random.below(flush_events.size())];
    options.flush_keys = flush_keys[random.below(flush_keys.size())];
    options.poll_records = poll_records[random.below(poll_records.size())];
    options.verify_interval = Milliseconds{verify_ms[random.below(verify_ms.size())]};
    if (tiny_window)
        options.dedup_window = Milliseconds{random.between(20, 1'000)};
    // Real time does not pass in a world: whoever would wait goes on at once.
    options.backoff_min = Milliseconds{0};
    options.backoff_max = Milliseconds{0};
    options.dead_letter_deadline = Milliseconds{0};
    // What is held up while a call is, is tried again before the world gives up on it.
    options.stalled_after = Milliseconds{1'000};
    if (random.one_in(2))
        options.restore_slice = Milliseconds{0};
    return options;
}

}  // namespace

Profile draw_profile(Random& random) {
    constexpr std::array<std::uint32_t, 4> mixture{0, 1, 1, 3};
    Profile profile;
    profile.partitions = static_cast<std::int32_t>(random.between(1, 3));
    profile.hosts = 1 + random.below(3);
    profile.collectors = 1 + random.below(3);
    profile.ads = 1 + random.below(6);
    profile.actions = 150 + random.below(250);
    profile.base_ms = draw_base(random);
    profile.most_pass_ms = random.one_in(4) ? 200 : 30;
    profile.eager = random.one_in(2);
    profile.tiny_window = random.one_in(5);
    profile.processor = draw_options(random, profile.tiny_window);
    // A repetition must be received in the window, by clocks that are off against each other.
    const std::int64_t window_ms = profile.processor.dedup_window.count();
    profile.skew_ms = random.one_in(2) ? 0 : std::min<std::int64_t>(500, window_ms / 20);
    profile.again_ms = window_ms - 2 * profile.skew_ms;
    profile.weights = usual_weights;
    for (auto action = static_cast<std::size_t>(Action::rebalance); action < action_kinds; ++action)
        profile.weights[action] *= mixture[random.below(mixture.size())];
    for (Action always : {Action::pass_time, Action::send, Action::drain}) {
        auto& weight = profile.weights[static_cast<std::size_t>(always)];
        weight += usual_weights[static_cast<std::size_t>(always)] / 2;
    }
    return profile;
}

}  // namespace adtally::sim
