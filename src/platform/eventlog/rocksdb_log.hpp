// The event log of the embedded stack: partitions in one RocksDB, fsync by group commit.
//
// See README.md in this folder for the layout on disk, the group commit and what survives what.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/crash_points.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::eventlog {

struct RocksDbLogOptions {
    struct Topic {
        std::string name;
        std::int32_t partitions = 1;  // fixed when the topic is created; another number is an error
        // A table of current values: its records never grow too old. Superseded ones stay too;
        // every reader reads them all.
        bool keep_forever = false;
    };
    std::filesystem::path directory;
    std::vector<Topic> topics;
    Milliseconds commit_linger{7};                // how long a commit waits for company
    std::size_t commit_max_bytes = 4u << 20;      // a commit this large does not wait
    std::size_t max_bytes_in_flight = 64u << 20;  // past it: overloaded
    std::size_t max_record_bytes = 1'000'000;
    Milliseconds retention{7LL * 24 * 3600 * 1000};  // of topics that are not kept forever
    std::uint64_t min_free_disk_bytes = 64u << 20;   // below it: storage_full, before writes fail
    std::size_t tail_cache_bytes = 32u << 20;        // of each topic, for readers near the end
    // Free bytes of the directory's disk; empty: the file system is asked. For tests.
    std::function<std::uint64_t()> free_disk_bytes;
};

class RocksDbLog : public EventLog {
public:
    // Records below `begin` are gone, durably; asked for by who has passed them on (the spool).
    virtual Status remove_before(std::string_view topic, Partition partition, Offset begin) = 0;
};

// Throws std::runtime_error with one line and the remedy when the directory cannot be opened:
// locked by another process, not writable, corrupt, or created with other partitions.
// Consumers must be destroyed before the log is; so must nothing else be appended by then.
std::unique_ptr<RocksDbLog> open_rocksdb_log(const RocksDbLogOptions& options, const Clock& clock,
                                             CrashPoints& crash_points);

}  // namespace adtally::eventlog
