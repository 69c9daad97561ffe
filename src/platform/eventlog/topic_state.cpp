#include "platform/eventlog/topic_state.hpp"

#include <utility>

namespace adtally::eventlog {

TopicState::TopicState(std::string name, StoredTopic stored, std::size_t tail_bytes,
                       bool keep_forever)
    : info_{std::move(name), static_cast<std::int32_t>(stored.partitions.size()),
            std::move(stored.log_id)},
      id_(stored.id),
      keep_forever_(keep_forever),
      tail_(info_.partitions, tail_bytes) {
    for (const PartitionBounds& each : stored.partitions)
        watermarks_.push_back({each.begin, each.end});
}

Watermarks TopicState::watermarks(Partition partition) const {
    std::lock_guard lock(mutex_);
    return watermarks_[static_cast<std::size_t>(partition.value)];
}

std::vector<Watermarks> TopicState::watermarks() const {
    std::lock_guard lock(mutex_);
    return watermarks_;
}

void TopicState::publish(std::span<const CommitBlock> blocks) {
    {
        std::lock_guard lock(mutex_);
        for (const CommitBlock& block : blocks) {
            if (block.topic_id != id_)
                continue;
            tail_.push(block.partition, block.info, block.bytes);
            watermarks_[static_cast<std::size_t>(block.partition.value)].end = block.info.end;
        }
    }
    changed_.notify_all();
}

void TopicState::reload(std::span<const PartitionBounds> partitions) {
    {
        std::lock_guard lock(mutex_);
        tail_.clear();
        watermarks_.clear();
        for (const PartitionBounds& each : partitions)
            watermarks_.push_back({each.begin, each.end});
    }
    changed_.notify_all();
}

void TopicState::set_begin(Partition partition, Offset begin) {
    std::lock_guard lock(mutex_);
    watermarks_[static_cast<std::size_t>(partition.value)].begin = begin;
}

void TopicState::copy_tail(Partition partition, Offset from, std::size_t max_bytes,
                           std::vector<BlockBytes>& to) const {
    std::lock_guard lock(mutex_);
    tail_.copy(partition, from, max_bytes, to);
}

}  // namespace adtally::eventlog
