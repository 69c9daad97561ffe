#include "sim/world/world.hpp"

#include <algorithm>
#include <utility>

#include "sim/world/oracle.hpp"

namespace adtally::sim {

World::World(std::uint64_t seed, PlantedBug bug, Sink account,
             observability::MetricRegistry& metrics)
    : setting_(seed, bug, std::move(account)),
      log_(setting_),
      redis_(setting_),
      group_(setting_),
      intake_(setting_, log_),
      actions_left_(setting_.profile.actions) {
    Interrupter& interrupter = *this;
    for (std::size_t i = 0; i < setting_.profile.hosts; ++i)
        hosts_.emplace_back(static_cast<int>(i), setting_, log_, redis_, group_, interrupter,
                            metrics);
    for (const std::uint32_t weight : setting_.profile.weights)
        all_weights_ += weight;
}

std::string World::run() {
    const Profile& profile = setting_.profile;
    setting_.tell("{} partitions, {} collectors, {} processors, {} ads, window {} ms",
                  profile.partitions, profile.collectors, profile.hosts, profile.ads,
                  profile.processor.dedup_window.count());
    while (actions_left_ > 0)
        act();
    return settle();
}

void World::interrupt(int host, std::string_view place) {
    if (setting_.faults.strikes(Fault::processor_crash)) {
        setting_.tell("  processor {} dies {}", host, place);
        throw Crash{};
    }
    if (setting_.faults.strikes(Fault::processor_held))
        hold(host, place);
}

void World::hold(int host, std::string_view place) {
    constexpr std::size_t most_actions = 25;
    setting_.tell("  processor {} is held {}", host, place);
    ++setting_.depth;
    if (setting_.random.one_in(2))
        group_.rebalance();  // which takes it for dead
    for (std::size_t left = 1 + setting_.random.below(most_actions); left > 0; --left)
        if (actions_left_ > 0)
            act();
    --setting_.depth;
    if (setting_.faults.strikes(Fault::killed_while_held)) {
        setting_.tell("  processor {} is killed {}", host, place);
        throw Crash{};
    }
    setting_.tell("  processor {} goes on {}", host, place);
}

void World::act() {
    --actions_left_;
    perform(draw_action());
}

Action World::draw_action() {
    std::size_t drawn = setting_.random.below(all_weights_);
    for (std::size_t i = 0; i < action_kinds; ++i) {
        if (drawn < setting_.profile.weights[i])
            return static_cast<Action>(i);
        drawn -= setting_.profile.weights[i];
    }
    return Action::pass_time;
}

void World::perform(Action action) {
    switch (action) {
        case Action::step_processor:
            return step_processor();
        case Action::start_processor:
            return start_processor();
        case Action::stop_processor:
            return stop_processor();
        case Action::rebalance:
            return group_.rebalance();
        case Action::pass_time:
            return pass_time();
        case Action::send:
            return intake_.send();
        case Action::send_again:
            return intake_.send_again();
        case Action::send_after_window:
            return intake_.send_after_window();
        case Action::send_at_edge:
            return intake_.send_at_edge();
        case Action::send_poison:
            return intake_.send_poison();
        case Action::drain:
            return intake_.drain();
        case Action::restart_collector:
            return intake_.restart_collector();
        case Action::land_late_append:
            return intake_.land_late_append();
        case Action::run_late_request:
            return redis_.run_late_request();
        case Action::turn_log:
            return turn(log_.away, Fault::log_away, "the log");
        case Action::turn_redis:
            return turn(redis_.away, Fault::redis_away, "Redis");
        case Action::fail_over:
            return redis_.fail_over();
        case Action::fence:
            return redis_.fence();
        case Action::count:
            return;
    }
}

// Nothing: there is none.
Host* World::any_host(bool (*wanted)(const Host&)) {
    std::array<Host*, 3> found{};
    std::size_t count = 0;
    for (Host& host : hosts_)
        if (wanted(host))
            found.at(count++) = &host;
    return count == 0 ? nullptr : found[setting_.random.below(count)];
}

void World::step_processor() {
    Host* host = any_host([](const Host& each) { return each.idle(); });
    if (host == nullptr)
        return start_processor();
    for (std::size_t left = 1 + setting_.random.below(3); left > 0 && host->idle(); --left)
        host->step();
}

// It joins the group with its first step; the group may see it at once, or in its own time.
void World::start_processor() {
    Host* host = any_host([](const Host& each) { return !each.running(); });
    if (host == nullptr)
        return;
    host->start();
    host->step();
    if (setting_.random.one_in(2))
        group_.rebalance();
}

void World::stop_processor() {
    if (Host* host = any_host([](const Host& each) { return each.idle(); }))
        host->stop();
}

// Mostly less than a flush or two, sometimes long enough for everything to be looked at anew, and
// sometimes past the window.
void World::pass_time() {
    std::int64_t most = setting_.profile.most_pass_ms;
    if (setting_.random.one_in(25))
        most = 2'000;
    else if (setting_.random.one_in(60))
        most = setting_.profile.processor.dedup_window.count() * 2;
    setting_.now_ms += setting_.random.between(1, most);
}

void World::turn(bool& away, Fault fault, const char* what) {
    if (!away && !setting_.random.one_in(3))
        return;
    away = !away;
    setting_.tell("{} is {}", what, away ? "away" : "back");
    if (away)
        setting_.faults.saw(fault);
}

std::string World::settle() {
    setting_.tell("faults cease");
    setting_.faults.cease();
    log_.away = redis_.away = false;
    redis_.fence();
    redis_.run_late_requests();
    intake_.settle();
    if (any_host([](const Host& each) { return each.running(); }) == nullptr)
        hosts_.front().start();
    const std::int64_t span_ms = setting_.profile.processor.flush_interval.count() + 1;
    const std::int64_t verify_ms = setting_.profile.processor.verify_interval.count();
    // A processor that was held for long in a question that failed waits so long before the next.
    constexpr std::int64_t longest_pause_ms = 45'000;
    const std::size_t eights =
        static_cast<std::size_t>(longest_pause_ms / (7 * span_ms + verify_ms)) + 1;
    const std::size_t bound = 3 * log_.size() + 50 + 8 * eights;
    for (std::size_t rounds = 0; !at_rest(); ++rounds) {
        if (rounds == bound)
            return no_progress(rounds);
        // Who was left alone with a Redis that is gone sees that when it verifies.
        round(rounds % 8 == 7 ? verify_ms : span_ms);
    }
    // Nothing changes any more, also not in the eyes of one that starts now.
    if (setting_.random.one_in(2)) {
        for (Host& host : hosts_)
            if (host.running())
                host.kill();
        hosts_.front().start();
    }
    for (int i = 0; i < 6; ++i)
        round(setting_.profile.processor.verify_interval.count());
    for (Host& host : hosts_)
        if (host.running())
            host.kill();
    return differences(setting_, intake_, log_, redis_.state());
}

void World::round(std::int64_t span_ms) {
    setting_.now_ms += span_ms;
    for (Host& host : hosts_)
        if (host.running())
            host.step();
    group_.spread();
}

bool World::at_rest() const {
    for (std::int32_t p = 0; p < log_.partitions(); ++p)
        if (redis_.state().offsets[static_cast<std::size_t>(p)].value_or(0) != log_.end(p))
            return false;
    return true;
}

std::string World::no_progress(std::size_t rounds) const {
    std::string text =
        fmt::format("no progress: not at rest after {} rounds without faults\n", rounds);
    for (std::int32_t p = 0; p < log_.partitions(); ++p)
        text +=
            fmt::format("partition {}: expected to be counted up to {}; found {}\n", p, log_.end(p),
                        redis_.state().offsets[static_cast<std::size_t>(p)].value_or(-1));
    for (const Host& host : hosts_)
        text += fmt::format("processor {}: {}\n", host.number(), host.trouble());
    return text;
}

}  // namespace adtally::sim
