// Hands what is folded to the store: part of Processor, see processor.hpp.
//
// Dead letters first, durable before the offset moves past them; then one guarded script for all
// partitions; then the totals are published. What the store said decides what a partition believes.
#include <algorithm>
#include <optional>
#include <utility>

#include "pipeline/processor/processor.hpp"
#include "pipeline/processor/telemetry.hpp"

namespace adtally::processor {

// False when some are left: nothing is flushed then, and the next round goes on with those. Not all
// at once however many there are: the group waits for whoever is busy.
bool Processor::write_dead_letters(std::vector<PartitionState*>& due) {
    const Deadline deadline = Deadline::after(dead_letters_.deadline());
    for (PartitionState* state : due) {
        const std::span<const DeadLetter> letters = state->unwritten_dead_letters();
        std::size_t written = 0;
        std::optional<Error> failure;
        while (written < letters.size() && !failure) {
            const auto some =
                dead_letters_.write_some(state->partition(), letters.subspan(written));
            if (some)
                written += some.value();
            else
                failure = some.error();
            if (deadline.passed())
                break;
        }
        state->mark_dead_letters_written(written);
        if (written > 0)
            telemetry_->dead_lettered(logger_, state->partition(), letters.first(written));
        if (failure)
            trouble("dead letters cannot be written: " + failure->message);
        if (written < letters.size())
            return false;
        if (written > 0)
            crash_points_.pass(CrashPoint::processor_after_dead_letter);
    }
    return true;
}

void Processor::flush_all() {
    SteadyTime begin = clock_.steady();
    flush_pending();
    // From start to start; but Redis gets four fifths of the time at most, and this thread reads in
    // the rest. More of a pause would not save much: what a flush costs grows with what it holds.
    // As long as the flush itself would be too long: once one takes more than half of the time
    // between two, each lengthens the next.
    const SteadyTime end = clock_.steady();
    const auto pause =
        std::min<SteadyTime::duration>((end - begin) / 4, options_.flush_interval_max);
    next_flush_ = std::max(begin + options_.flush_interval, end + pause);
}

void Processor::flush_pending() {
    SteadyTime begin = clock_.steady();
    std::vector<PartitionState*> due;
    for (auto& state : partitions_)
        if (state->positioned() && state->pending())
            due.push_back(state.get());
    flush_blocked_ = false;
    if (due.empty())
        return;
    if (!write_dead_letters(due)) {
        flush_blocked_ = true;
        wait_backoff();
        return;
    }
    for (PartitionState* state : due)
        if (state->log_begin_is_old())
            if (const auto log = consumer_->watermarks(state->partition()))
                state->set_log_begin(log.value().begin);
    std::vector<Flush> flushes;
    flushes.reserve(due.size());
    for (PartitionState* state : due)
        flushes.push_back(state->flush());
    auto outcomes = store_.apply(flushes, thresholds_.get());
    if (!outcomes) {
        // Applied or not, the next look at the stored offsets tells. A store that can be read may
        // still refuse writes: nothing more is read until a flush has gone through.
        must_synchronise_ = true;
        flush_blocked_ = true;
        telemetry_->flush_failed.add(1);
        trouble(outcomes.error().message);
        wait_backoff();
        return;
    }
    crash_points_.pass(CrashPoint::processor_after_flush);
    const auto is_conflict = [](const FlushOutcome& outcome) {
        return outcome.kind == FlushOutcome::Kind::conflict;
    };
    if (std::any_of(outcomes.value().begin(), outcomes.value().end(), is_conflict))
        publisher_.forget_waiting();  // this processor may have slept while another counted on
    for (std::size_t i = 0; i < due.size(); ++i)
        settle(*due[i], flushes[i], outcomes.value()[i]);
    telemetry_->flushed(clock_.steady() - begin);
}

void Processor::settle(PartitionState& state, const Flush& flush, const FlushOutcome& outcome) {
    switch (outcome.kind) {
        case FlushOutcome::Kind::applied:
            applied(state, flush, outcome);
            return;
        case FlushOutcome::Kind::conflict:
            must_synchronise_ = true;
            return;
        case FlushOutcome::Kind::refused:
            flush_blocked_ = true;
            trouble(outcome.reason);
            wait_backoff();
            return;
    }
}

void Processor::applied(PartitionState& state, const Flush& flush, const FlushOutcome& outcome) {
    publisher_.touched(outcome.totals);
    crash_points_.pass(CrashPoint::processor_before_publish);
    state.mark_flushed();
    consumer_->commit_hint(state.partition(), flush.end);
    telemetry_->counted(flush.books);
    std::lock_guard lock(mutex_);
    snapshot_.flushes += 1;
    snapshot_.since_start.counted += flush.books.counted;
    snapshot_.since_start.duplicates += flush.books.duplicates;
    snapshot_.since_start.dead_lettered += flush.books.dead_lettered;
    snapshot_.since_start.expired += flush.books.expired;
}

}  // namespace adtally::processor
