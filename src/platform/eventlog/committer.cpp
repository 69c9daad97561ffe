#include "platform/eventlog/committer.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace adtally::eventlog {
namespace {

constexpr Milliseconds tick_interval{500};
constexpr Milliseconds shortest_retention_interval{60'000};
constexpr Milliseconds longest_retention_interval{3'600'000};

Milliseconds retention_interval(Milliseconds retention) {
    return std::clamp(retention / 100, shortest_retention_interval, longest_retention_interval);
}

}  // namespace

Committer::Committer(CommitQueue& queue, RocksDbStore& store, Topics& topics, Reclaimer& reclaimer,
                     DiskSpace disk, Grouper grouper, Milliseconds retention, const Clock& clock,
                     CrashPoints& crash_points)
    : queue_(queue),
      store_(store),
      topics_(topics),
      reclaimer_(reclaimer),
      disk_(std::move(disk)),
      grouper_(std::move(grouper)),
      retention_(retention),
      clock_(clock),
      crash_points_(crash_points),
      next_tick_(std::chrono::steady_clock::now()),
      next_retention_(clock.steady()),
      thread_([this] { run(); }) {}

Committer::~Committer() {
    thread_.join();
}

void Committer::run() {
    ::pthread_setname_np(::pthread_self(), "log-commit");
    std::vector<PendingAppend> group;
    while (queue_.take(group, next_tick_)) {
        if (!group.empty())
            commit(group);
        if (std::chrono::steady_clock::now() >= next_tick_)
            tick();
    }
}

void Committer::commit(std::vector<PendingAppend>& group) {
    if (failure_) {
        answer(group, failure_->error);
        return;
    }
    std::size_t bytes = 0;
    for (const PendingAppend& append : group)
        bytes += append.batch.byte_size();
    if (auto shortage = disk_.shortage(bytes)) {
        fail(*shortage, false);
        answer(group, std::move(*shortage));
        return;
    }
    const Status written = write(group);
    if (written) {
        for (const std::size_t topic : grouper_.topics())
            topics_[topic]->publish(grouper_.blocks());
    } else {
        fail(written.error(), true);
    }
    answer(group, written);
}

Status Committer::write(std::span<const PendingAppend> group) {
    grouper_.build(group, clock_.wall());
    crash_points_.pass(CrashPoint::log_before_commit);
    ADTALLY_TRY(store_.write(grouper_.blocks(), grouper_.ends()));
    crash_points_.pass(CrashPoint::log_after_commit);
    return ok();
}

void Committer::answer(std::vector<PendingAppend>& group, const Status& outcome) {
    CommitQueue::InFlight answered{0, 0};
    for (PendingAppend& append : group) {
        answered.bytes += append.bytes();
        ++answered.appends;
        append.done(outcome);
    }
    group.clear();
    queue_.answered(answered);
}

void Committer::fail(Error error, bool must_reopen) {
    queue_.refuse(error);
    failure_ = Failure{std::move(error), must_reopen};
}

void Committer::tick() {
    next_tick_ = std::chrono::steady_clock::now() + tick_interval;
    if (failure_) {
        try_to_recover();
    } else if (auto shortage = disk_.shortage_now()) {
        fail(std::move(*shortage), false);
    }
    // A full disk is no reason to keep what is due to go.
    const bool writable = !failure_ || !failure_->must_reopen;
    if (writable && clock_.steady() >= next_retention_)
        apply_retention();
}

void Committer::try_to_recover() {
    const bool must_reopen = failure_->must_reopen;
    if (failure_->error.code == ErrorCode::storage_full) {
        if (auto shortage = disk_.shortage_now()) {
            fail(std::move(*shortage), must_reopen);
            return;
        }
    }
    if (must_reopen) {
        if (const Status reopened = reopen(); !reopened) {
            fail(reopened.error(), true);
            return;
        }
    }
    failure_.reset();
    queue_.accept();
}

Status Committer::reopen() {
    ADTALLY_TRY(store_.reopen());
    for (std::size_t topic = 0; topic < topics_.size(); ++topic) {
        TopicState& state = *topics_[topic];
        ADTALLY_TRY(auto bounds, store_.bounds(state.id(), state.info().partitions));
        state.reload(bounds);
        grouper_.reset(topic, state.id(), std::move(bounds));
    }
    return ok();
}

void Committer::apply_retention() {
    next_retention_ = clock_.steady() + retention_interval(retention_);
    const TimestampMs oldest{clock_.wall().value - retention_.count()};
    bool removed = false;
    for (std::size_t topic = 0; topic < topics_.size(); ++topic) {
        if (topics_[topic]->keep_forever())
            continue;
        for (std::int32_t i = 0; i < topics_[topic]->info().partitions; ++i) {
            const auto done = retain(topic, Partition{i}, oldest);
            // A damaged partition keeps what it has; its readers say so.
            if (!done && done.error().code != ErrorCode::corrupt) {
                fail(done.error(), true);
                return;
            }
            removed = removed || (done && done.value());
        }
    }
    if (removed)
        reclaimer_.ask();
}

// Whether something was removed.
Result<bool> Committer::retain(std::size_t topic, Partition partition, TimestampMs oldest) {
    TopicState& state = *topics_[topic];
    const Watermarks now = state.watermarks(partition);
    ADTALLY_TRY(auto begin, store_.first_at(state.id_of(partition), now, oldest));
    if (begin == now.begin)
        return false;
    // Readers learn of it first: what they miss then is gone, not lost.
    state.set_begin(partition, begin);
    ADTALLY_TRY(store_.remove_before(state.id_of(partition), now.begin, begin));
    return true;
}

}  // namespace adtally::eventlog
