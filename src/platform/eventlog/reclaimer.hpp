// Gives the disk back what retention has removed.
//
// Problem. Removing a range of a partition is a note of some bytes; the room comes free when
// RocksDB next rewrites the keys. Asking for that takes as long as it takes, so it must not hold
// up commits.
//
// Threads. One of its own ("log-reclaim"), idle but for some seconds after a retention run.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "platform/eventlog/rocksdb_store.hpp"

namespace adtally::eventlog {

class Reclaimer {
public:
    explicit Reclaimer(RocksDbStore& store);
    // Breaks off what runs.
    ~Reclaimer();
    Reclaimer(const Reclaimer&) = delete;
    Reclaimer& operator=(const Reclaimer&) = delete;

    void ask();

private:
    void run();

    RocksDbStore& store_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool asked_ = false;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace adtally::eventlog
