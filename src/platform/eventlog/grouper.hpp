// From the appends of one commit to blocks: gives every record its partition and its offset.
//
// A block ends at about 1 MiB, so that reading one stays bounded. `appended_at` never decreases
// along a partition, whatever the wall clock does.
// Threads: one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "platform/eventlog/block.hpp"
#include "platform/eventlog/commit_queue.hpp"
#include "platform/eventlog/rocksdb_store.hpp"

namespace adtally::eventlog {

class Grouper {
public:
    explicit Grouper(std::size_t topics);

    // Where the partitions of a topic go on: at the start and after a failed write.
    void reset(std::size_t topic, std::uint16_t topic_id, std::vector<PartitionBounds> partitions);
    void build(std::span<const PendingAppend> appends, TimestampMs now);

    // Of the last build().
    std::span<const CommitBlock> blocks() const { return blocks_; }
    std::span<const std::size_t> topics() const { return touched_; }
    std::span<const TopicEnds> ends() const { return ends_; }

private:
    struct Lane {
        BlockBuilder builder;
        std::size_t last_append = 0;  // whose headers the builder has; 0 = of none yet
    };
    struct Topic {
        std::uint16_t id = 0;
        std::vector<PartitionBounds> partitions;
        std::vector<Lane> lanes;
        bool touched = false;
    };
    void add(std::size_t topic, const RecordBatch& batch, std::size_t append, TimestampMs now);
    void finish(std::size_t topic, Partition partition);

    std::vector<Topic> topics_;
    std::vector<CommitBlock> blocks_;
    std::vector<std::size_t> touched_;
    std::vector<TopicEnds> ends_;
};

}  // namespace adtally::eventlog
