// Whether every partition gets on, and what is told when one does not: part of Processor, see
// processor.hpp.
//
// A failure of the log that concerns one partition is over when records of it come, or when none
// waits there; one of the whole log when any come, or when the log can at least be asked. Not every
// failure is told: librdkafka tries on in silence where a partition has no leader. So a partition
// that is quiet is asked for its end, one a second, and one more where something waits. What stands
// there and does not come is looked at with the consumer's second reader: offsets without records
// (markers of transactions) are passed over, else its failure is the reason, and the partition is
// sought once more.
#include <fmt/format.h>

#include <algorithm>

#include "pipeline/processor/processor.hpp"

namespace adtally::processor {
namespace {

constexpr Partition whole_log{-1};

// What waits for an answer holds up all others, whichever partition it is about: no more than a
// twentieth of the time, or a tenth where each takes its five seconds: whoever mends the broker
// does not want to wait for long.
SteadyTime::duration pause_after(SteadyTime::duration question, SteadyTime::duration least) {
    constexpr SteadyTime::duration most = std::chrono::seconds(45);
    return std::clamp(20 * question, least, std::max(least, most));
}

}  // namespace

void Processor::not_read(const Error& error) {
    const bool ended = consumer_->ended();
    if (ended)
        begin_anew();
    const bool of_one = !ended && mine(fetched_.partition) != nullptr;
    unreadable_[of_one ? fetched_.partition : whole_log] =
        "the event log cannot be read: " + error.message;
    trouble(first_reason());
    if (of_one)
        wait(options_.backoff_min);  // the others are read meanwhile
    else
        wait_backoff();
}

void Processor::comes_again(Partition partition) {
    unreadable_.erase(whole_log);
    unreadable_.erase(partition);
}

void Processor::hold_up(PartitionState& state, std::string reason, SteadyTime since) {
    const SteadyTime now = clock_.steady();
    forget(state);
    held_up_[state.partition()] = {std::move(reason), now};
    next_retry_ = std::max(next_retry_, now + pause_after(now - since, options_.backoff_max));
    trouble(first_reason());
}

// The one to be tried again now: that which has waited longest.
const PartitionState* Processor::next_held_up() const {
    if (clock_.steady() < next_retry_)
        return nullptr;
    const PartitionState* next = nullptr;
    SteadyTime since = SteadyTime::max();
    for (const auto& state : partitions_) {
        const auto held_up = held_up_.find(state->partition());
        if (held_up == held_up_.end() || held_up->second.since >= since)
            continue;
        next = state.get();
        since = held_up->second.since;
    }
    return next;
}

void Processor::forget(PartitionState& state) {
    state.forget();
    restoring_.erase(state.partition());
    quiet_.erase(state.partition());
}

// Empty when nothing is wrong.
std::string Processor::first_reason() const {
    if (!held_up_.empty())
        return held_up_.begin()->second.reason;
    return unreadable_.empty() ? std::string{} : unreadable_.begin()->second;
}

void Processor::tell() {
    if (flush_blocked_)
        return;  // told already
    if (unreadable_.contains(whole_log) && log_.watermarks(options_.topic))
        unreadable_.erase(whole_log);
    if (std::string reason = first_reason(); !reason.empty())
        trouble(std::move(reason));
    else if (next_to_restore() == nullptr)
        well();
}

void Processor::watch_progress() {
    const SteadyTime begin = clock_.steady();
    if (consumer_ == nullptr || flush_blocked_ || unreadable_.contains(whole_log))
        return quiet_.clear();  // nothing is read at all, and it is told why
    if (begin < next_look_)
        return;
    const PartitionState* next = next_to_look_at();
    const PartitionState* suspect = next_suspect();
    for (auto& state : partitions_) {
        if (state.get() != next && state.get() != suspect)
            continue;
        look_at(*state);
        if (clock_.steady() - begin >= options_.look_interval)
            break;
    }
    next_look_ = clock_.steady() + pause_after(clock_.steady() - begin, options_.look_interval);
}

// In turn.
PartitionState* Processor::next_suspect() {
    PartitionState* next = nullptr;
    const auto turn = [this](const PartitionState& state) {
        return std::pair{state.partition() <= suspect_turn_, state.partition()};
    };
    for (auto& state : partitions_)
        if (is_suspect(*state) && (next == nullptr || turn(*state) < turn(*next)))
            next = state.get();
    if (next != nullptr)
        suspect_turn_ = next->partition();
    return next;
}

bool Processor::is_suspect(const PartitionState& state) const {
    const Partition partition = state.partition();
    const auto quiet = quiet_.find(partition);
    return quiet != quiet_.end() && quiet->second.next == state.next() &&
           !restoring_.contains(partition) &&
           (quiet->second.waits_since || unreadable_.contains(partition));
}

// In turn, of those from which nothing has come since the last look at all of them.
const PartitionState* Processor::next_to_look_at() {
    const PartitionState* next = nullptr;
    const auto later = [this](const PartitionState& a, const PartitionState& b) {
        return std::pair{a.partition() <= look_turn_, a.partition()} >
               std::pair{b.partition() <= look_turn_, b.partition()};
    };
    for (auto& state : partitions_) {
        if (!state->positioned() || restoring_.contains(state->partition()))
            continue;
        const auto [at, is_new] = quiet_.try_emplace(state->partition(), Quiet{state->next()});
        if (is_new || at->second.next != state->next())
            at->second = {state->next()};
        else if (next == nullptr || later(*next, *state))
            next = state.get();
    }
    if (next != nullptr)
        look_turn_ = next->partition();
    return next;
}

void Processor::look_at(PartitionState& state) {
    const Partition partition = state.partition();
    const auto ends = consumer_->watermarks(partition);
    if (!ends) {
        unreadable_[partition] =
            fmt::format("partition {} cannot be read: {}", partition.value, ends.error().message);
        return trouble(first_reason());
    }
    std::optional<SteadyTime>& waits_since = quiet_[partition].waits_since;
    if (ends.value().end <= state.next()) {
        waits_since.reset();
        unreadable_.erase(partition);
    } else if (!waits_since) {
        waits_since = clock_.steady();
    } else if (clock_.steady() - *waits_since >= options_.stalled_after) {
        look_closer(state, ends.value().end);
    }
}

void Processor::look_closer(PartitionState& state, Offset end) {
    const Partition partition = state.partition();
    eventlog::FetchedBatch batch;
    const Status read = consumer_->read(partition, state.next(), end, batch);
    quiet_.erase(partition);
    if (read && batch.records.empty()) {
        logger_.info("offsets without records are passed over and booked as expired",
                     {{"partition", static_cast<std::int64_t>(partition.value)},
                      {"from", state.next().value},
                      {"to", end.value}});
        state.pass_over(end);
        unreadable_.erase(partition);
        return;
    }
    unreadable_[partition] =
        read
            ? fmt::format(
                  "partition {} is stalled: the record at {} stands in the log and has "
                  "not come for {} s; it is sought again",
                  partition.value, state.next().value,
                  std::chrono::duration_cast<std::chrono::seconds>(options_.stalled_after).count())
            : fmt::format("partition {} cannot be read: {}", partition.value, read.error().message);
    trouble(first_reason());
    unsought_.insert(partition);
    (void)seek(state, state.next());
}

// Says each cause once in a spell of trouble, whatever was being done when it showed: what is tried
// in turns fails in turns.
void Processor::trouble(std::string reason) {
    constexpr std::size_t most_causes = 100;
    const std::size_t colon = reason.find(": ");
    std::string cause = colon == std::string::npos ? reason : reason.substr(colon + 2);
    std::lock_guard lock(mutex_);
    if (told_causes_.size() < most_causes && told_causes_.insert(std::move(cause)).second)
        logger_.warn("processor is held up", {{"reason", std::string_view(reason)}});
    snapshot_.trouble = std::move(reason);
    snapshot_.ready = false;
}

void Processor::well() {
    backoff_ = Milliseconds{0};
    std::lock_guard lock(mutex_);
    if (!snapshot_.ready)
        logger_.info("processor is ready",
                     {{"partitions", static_cast<std::int64_t>(partitions_.size())}});
    snapshot_.ready = true;
    snapshot_.trouble.clear();
    told_causes_.clear();
}

void Processor::wait_backoff() {
    backoff_ = std::clamp(backoff_ * 2, options_.backoff_min, options_.backoff_max);
    wait(backoff_);
}

void Processor::wait(Milliseconds span) {
    std::unique_lock lock(mutex_);
    snapshot_.moved_at = clock_.steady();
    wake_.wait_for(lock, span, [this] { return stopping_; });
}

}  // namespace adtally::processor
