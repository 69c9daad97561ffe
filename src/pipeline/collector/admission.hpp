// How many events may be between the door and the log at once, and the door's closing.
//
// Problem. What is accepted must be protected from what comes: past a fixed number of events in
// flight new ones are refused at once (503) instead of making everyone wait. And a stop must know
// when the last one is through.
//
// Promise. enter() succeeds only while the gate is open and there is room; each success is matched
// by one leave() with the same number. After close_and_wait() returned true nothing is in flight
// and nothing will be.
//
// Threads. Any; enter and leave are one atomic addition each.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/clock.hpp"

namespace adtally::collector {

class Admission {
public:
    enum class Verdict : std::uint8_t { admitted, full, stopping };

    explicit Admission(std::uint64_t max_events) : max_events_(max_events) {}
    ~Admission();

    Verdict enter(std::uint64_t events);
    // Whether one more event would be taken: asked before work is spent on a large body.
    Verdict probe() const;
    void leave(std::uint64_t events);

    // False when the deadline passed first; the gate stays closed.
    bool close_and_wait(Deadline deadline);
    std::uint64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

private:
    const std::uint64_t max_events_;
    std::atomic<std::uint64_t> in_flight_{0};
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::condition_variable idle_;
};

}  // namespace adtally::collector
