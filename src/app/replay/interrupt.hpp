// Turns SIGINT and SIGTERM into a stop request while it lives; the second signal has its usual
// effect, for those who will not wait.
//
// Threads: the two signals are blocked in the constructing thread and in those it starts
// afterwards, and taken by one thread that waits for them. Construct it before other threads.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace adtally::replay {

class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    std::stop_token token() const { return stop_.get_token(); }

private:
    void watch();

    std::stop_source stop_;
    sigset_t before_{};
    int signals_ = -1;  // a signalfd
    int ended_ = -1;    // an eventfd, written by the destructor
    std::thread watcher_;
};

}  // namespace adtally::replay
