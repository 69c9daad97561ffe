// Between those who append and the one thread that commits.
//
// Promise. An append is either taken, in order, or given back at once with the reason. Bounded by
// the bytes that are accepted and not yet answered. `take` waits for company: a commit begins when
// `linger` has passed since its first append, or it is large enough, or the queue closes.
//
// Threads. `push`, `in_flight` and `refusal` from any thread; `take`, `answered`, `refuse` and
// `accept` from the committing one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "platform/eventlog/event_log.hpp"

namespace adtally::eventlog {

struct PendingAppend {
    std::size_t topic;
    RecordBatch batch;
    AppendDone done;
    std::size_t bytes() const { return batch.byte_size() + 32 * batch.size() + 128; }
};

class CommitQueue {
public:
    struct Limits {
        Milliseconds linger;
        std::size_t commit_max_bytes;
        std::size_t max_bytes_in_flight;
    };
    struct InFlight {
        std::uint64_t appends;
        std::uint64_t bytes;
    };

    explicit CommitQueue(Limits limits) : limits_(limits) {}

    // The append is moved from only when nothing is returned.
    std::optional<Error> push(PendingAppend& append);
    // Fills `group` with all that waits; leaves it empty when nothing came before `tick`.
    // False once the queue is closed and empty.
    bool take(std::vector<PendingAppend>& group, SteadyTime tick);
    void answered(InFlight done);

    // From now on every append is given back with `why`, until accept().
    void refuse(Error why);
    void accept();
    void close();

    InFlight in_flight() const;
    std::optional<Error> refusal() const;

private:
    const Limits limits_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<PendingAppend> pending_;
    std::size_t pending_bytes_ = 0;
    SteadyTime first_arrival_{};
    InFlight in_flight_{0, 0};
    std::optional<Error> refusal_;
    bool closed_ = false;
};

}  // namespace adtally::eventlog
