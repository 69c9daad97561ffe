// The data directory: who holds it, and where everything lies in it.
//
//     LOCK      held while adtally, or a Redis that it left behind, still runs
//     eventlog/ the event log (RocksDB)
//     redis/    Redis' append-only file
#pragma once

#include <filesystem>

#include "base/clock.hpp"

namespace adtally::app {

// The lock is a flock(2) on an open file that the supervised Redis inherits: after a kill -9 the
// directory stays locked until that Redis has ended as well, so two never write one file.
class DataDirectory {
public:
    // Makes the directory. Waits up to `patience` for a holder that is just ending, then throws
    // std::runtime_error with one line and the remedy.
    DataDirectory(std::filesystem::path path, Milliseconds patience);
    ~DataDirectory();
    DataDirectory(const DataDirectory&) = delete;

    // For children that must hold the directory as long as they live.
    int lock_descriptor() const { return lock_; }
    std::filesystem::path event_log() const { return path_ / "eventlog"; }
    std::filesystem::path redis() const { return path_ / "redis"; }

private:
    std::filesystem::path path_;
    int lock_ = -1;
};

}  // namespace adtally::app
