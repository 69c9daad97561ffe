#include "platform/eventlog/reclaimer.hpp"

#include <pthread.h>

namespace adtally::eventlog {

Reclaimer::Reclaimer(RocksDbStore& store) : store_(store), thread_([this] { run(); }) {}

Reclaimer::~Reclaimer() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    store_.cancel_compaction();
    thread_.join();
}

void Reclaimer::ask() {
    {
        std::lock_guard lock(mutex_);
        asked_ = true;
    }
    changed_.notify_one();
}

void Reclaimer::run() {
    ::pthread_setname_np(::pthread_self(), "log-reclaim");
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return asked_ || stopping_; });
        if (stopping_)
            return;
        asked_ = false;
        lock.unlock();
        store_.compact();
        lock.lock();
    }
}

}  // namespace adtally::eventlog
