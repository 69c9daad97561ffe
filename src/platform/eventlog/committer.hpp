// The one thread that writes: commits, recovery, retention.
//
// Group commit. One fdatasync costs about as much CPU as some hundred events, so everything that
// waits goes into one synced write, and a commit waits for company first.
//
// A failed write. Nobody knows whether it will be there after a crash. So it is reported as
// failed, no more is accepted, and the database is closed and opened again (every 500 ms, and only
// once there is room when room was missing). Opening replays what the disk really has; the ends
// are read from it before the next offset is given. Hence no offset is given to two durable
// records and none is left out; a record that was reported as failed and is there all the same is
// what event ids are for.
//
// Completions are called on this thread, in the order of the appends, with no lock held.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/crash_points.hpp"
#include "platform/eventlog/commit_queue.hpp"
#include "platform/eventlog/disk_space.hpp"
#include "platform/eventlog/grouper.hpp"
#include "platform/eventlog/reclaimer.hpp"
#include "platform/eventlog/rocksdb_store.hpp"
#include "platform/eventlog/topic_state.hpp"

namespace adtally::eventlog {

using Topics = std::vector<std::unique_ptr<TopicState>>;

class Committer {
public:
    Committer(CommitQueue& queue, RocksDbStore& store, Topics& topics, Reclaimer& reclaimer,
              DiskSpace disk, Grouper grouper, Milliseconds retention, const Clock& clock,
              CrashPoints& crash_points);
    // The queue must be closed.
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

private:
    struct Failure {
        Error error;
        bool must_reopen;
    };

    void run();
    void commit(std::vector<PendingAppend>& group);
    Status write(std::span<const PendingAppend> group);
    void answer(std::vector<PendingAppend>& group, const Status& outcome);
    void fail(Error error, bool must_reopen);
    void tick();
    void try_to_recover();
    Status reopen();
    void apply_retention();
    Result<bool> retain(std::size_t topic, Partition partition, TimestampMs oldest);

    CommitQueue& queue_;
    RocksDbStore& store_;
    Topics& topics_;
    Reclaimer& reclaimer_;
    DiskSpace disk_;
    Grouper grouper_;
    const Milliseconds retention_;
    const Clock& clock_;
    CrashPoints& crash_points_;
    std::optional<Failure> failure_;
    SteadyTime next_tick_;
    SteadyTime next_retention_;
    std::thread thread_;  // last: it uses the others
};

}  // namespace adtally::eventlog
