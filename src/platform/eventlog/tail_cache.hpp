// The newest blocks of a topic in memory: who reads at the end never touches the disk.
//
// Bounded in bytes for the whole topic; the block that was committed first is dropped first. What
// is held of a partition is always its contiguous end.
// Threads: none of its own; the owner locks.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "platform/eventlog/block.hpp"

namespace adtally::eventlog {

class TailCache {
public:
    TailCache(std::int32_t partitions, std::size_t max_bytes);

    void push(Partition partition, const BlockInfo& info, BlockBytes bytes);
    // Appends the blocks from the one that holds `from` on, until they are `max_bytes` together;
    // nothing when that one is not held.
    void copy(Partition partition, Offset from, std::size_t max_bytes,
              std::vector<BlockBytes>& to) const;
    void clear();
    std::size_t bytes() const { return bytes_; }

private:
    struct Entry {
        Offset base;
        Offset end;
        BlockBytes bytes;
    };
    static std::size_t cost(const BlockBytes& bytes);

    const std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::vector<std::deque<Entry>> partitions_;
    std::deque<Partition> arrivals_;  // one for each entry, oldest first
};

}  // namespace adtally::eventlog
