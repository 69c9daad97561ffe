#include "pipeline/collector/deadline_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace adtally::collector {
namespace {

constexpr Milliseconds sweep_every{100};

}  // namespace

DeadlineThread::DeadlineThread(const PendingAnswers& pending, std::function<void()> sweep)
    : pending_(pending), sweep_(std::move(sweep)) {}

DeadlineThread::~DeadlineThread() {
    stop();
}

void DeadlineThread::start() {
    ADTALLY_ASSERT(!thread_.joinable());
    thread_ = std::thread(&DeadlineThread::run, this);
    pthread_setname_np(thread_.native_handle(), "col-deadline");
}

void DeadlineThread::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void DeadlineThread::not_later_than(SteadyTime at) {
    if (planned_.load() <= at)
        return;
    std::lock_guard lock(mutex_);
    woken_ = true;
    wake_.notify_one();
}

void DeadlineThread::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        plan();
        wake_.wait_until(lock, planned_.load(), [this] { return stopping_ || woken_; });
        woken_ = false;
        lock.unlock();
        sweep_();
        lock.lock();
    }
}

// The plan is withdrawn before the list is read: a redirect that is added after the reading finds
// either no plan, and wakes us, or the new one, and judges by it.
void DeadlineThread::plan() {
    planned_.store(SteadyTime::max());
    SteadyTime next = std::chrono::steady_clock::now() + sweep_every;
    if (std::optional<SteadyTime> redirect = pending_.next_redirect())
        next = std::min(next, *redirect);
    planned_.store(next);
}

}  // namespace adtally::collector
