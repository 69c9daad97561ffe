// A topic as readers see it: how far each partition goes, its newest blocks, and a way to wait.
//
// Promise. A record is seen here only after the commit that made it durable.
// Threads. Every function from any thread; nobody calls back while the lock is held.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/rocksdb_store.hpp"
#include "platform/eventlog/tail_cache.hpp"

namespace adtally::eventlog {

class TopicState {
public:
    TopicState(std::string name, StoredTopic stored, std::size_t tail_bytes, bool keep_forever);

    const TopicInfo& info() const { return info_; }
    bool keep_forever() const { return keep_forever_; }
    std::uint16_t id() const { return id_; }
    bool has(Partition partition) const {
        return partition.value >= 0 && partition.value < info_.partitions;
    }
    PartitionId id_of(Partition partition) const { return {id_, partition}; }

    Watermarks watermarks(Partition partition) const;
    std::vector<Watermarks> watermarks() const;

    // Adds what a commit wrote (blocks of other topics are passed over) and wakes who waits.
    void publish(std::span<const CommitBlock> blocks);
    // Takes over what the store found; forgets the blocks in memory.
    void reload(std::span<const PartitionBounds> partitions);
    void set_begin(Partition partition, Offset begin);

    // Runs `look(watermarks, tail)` under the lock, again after each change, until it returns true
    // or `deadline` has passed.
    template <class Look>
    void wait(SteadyTime deadline, Look look) const {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline,
                            [&] { return look(std::span<const Watermarks>{watermarks_}, tail_); });
    }
    void copy_tail(Partition partition, Offset from, std::size_t max_bytes,
                   std::vector<BlockBytes>& to) const;

private:
    const TopicInfo info_;
    const std::uint16_t id_;
    const bool keep_forever_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<Watermarks> watermarks_;
    TailCache tail_;
};

}  // namespace adtally::eventlog
