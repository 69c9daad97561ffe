#include "platform/eventlog/commit_queue.hpp"

#include <chrono>
#include <utility>

#include "base/assert.hpp"

namespace adtally::eventlog {

std::optional<Error> CommitQueue::push(PendingAppend& append) {
    const std::size_t bytes = append.bytes();
    if (bytes > limits_.max_bytes_in_flight)
        return Error{ErrorCode::too_large,
                     "the batch is larger than all that may be in flight: send smaller batches"};
    bool wake = false;
    {
        std::lock_guard lock(mutex_);
        if (closed_)
            return Error{ErrorCode::unavailable, "the event log is closed"};
        if (refusal_)
            return refusal_;
        if (in_flight_.bytes + bytes > limits_.max_bytes_in_flight)
            return Error{ErrorCode::overloaded,
                         "the event log has too much in flight: try again later"};
        if (pending_.empty()) {
            first_arrival_ = std::chrono::steady_clock::now();
            wake = true;
        }
        const bool was_large = pending_bytes_ >= limits_.commit_max_bytes;
        pending_bytes_ += bytes;
        wake = wake || (!was_large && pending_bytes_ >= limits_.commit_max_bytes);
        in_flight_.bytes += bytes;
        ++in_flight_.appends;
        pending_.push_back(std::move(append));
    }
    if (wake)
        changed_.notify_one();
    return std::nullopt;
}

bool CommitQueue::take(std::vector<PendingAppend>& group, SteadyTime tick) {
    group.clear();
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, tick, [&] { return closed_ || !pending_.empty(); });
    if (pending_.empty())
        return !closed_;
    changed_.wait_until(lock, first_arrival_ + limits_.linger,
                        [&] { return closed_ || pending_bytes_ >= limits_.commit_max_bytes; });
    group.swap(pending_);
    pending_bytes_ = 0;
    return true;
}

void CommitQueue::answered(InFlight done) {
    std::lock_guard lock(mutex_);
    ADTALLY_ASSERT(done.appends <= in_flight_.appends && done.bytes <= in_flight_.bytes);
    in_flight_.appends -= done.appends;
    in_flight_.bytes -= done.bytes;
}

void CommitQueue::refuse(Error why) {
    std::lock_guard lock(mutex_);
    refusal_ = std::move(why);
}

void CommitQueue::accept() {
    std::lock_guard lock(mutex_);
    refusal_.reset();
}

void CommitQueue::close() {
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_one();
}

CommitQueue::InFlight CommitQueue::in_flight() const {
    std::lock_guard lock(mutex_);
    return in_flight_;
}

std::optional<Error> CommitQueue::refusal() const {
    std::lock_guard lock(mutex_);
    if (closed_)
        return Error{ErrorCode::unavailable, "the event log is closed"};
    return refusal_;
}

}  // namespace adtally::eventlog
