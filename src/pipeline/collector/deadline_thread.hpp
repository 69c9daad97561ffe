// Sees to it that answers go out in time: one thread ("col-deadline") for all of them.
//
// Design. The thread sweeps every 100 ms, which is exact enough for acknowledgements (their
// deadline is seconds), and is woken for a redirect that is due before the next sweep.
//
// Promise. Calls `sweep` on its own thread only; after stop() it will not be called again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "pipeline/collector/pending_answers.hpp"

namespace adtally::collector {

class DeadlineThread {
public:
    DeadlineThread(const PendingAnswers& pending, std::function<void()> sweep);
    ~DeadlineThread();  // stop()
    DeadlineThread(const DeadlineThread&) = delete;

    void start();
    void stop();
    // Sweep no later than `at`. Any thread; one load when the thread wakes before that anyway.
    void not_later_than(SteadyTime at);

private:
    void run();
    void plan();

    const PendingAnswers& pending_;
    const std::function<void()> sweep_;
    std::atomic<SteadyTime> planned_{SteadyTime::max()};
    std::mutex mutex_;
    std::condition_variable wake_;
    bool woken_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adtally::collector
