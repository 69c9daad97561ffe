#include "platform/eventlog/grouper.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::size_t block_bytes = 1u << 20;

}  // namespace

Grouper::Grouper(std::size_t topics) : topics_(topics) {}

void Grouper::reset(std::size_t topic, std::uint16_t topic_id,
                    std::vector<PartitionBounds> partitions) {
    Topic& state = topics_[topic];
    state.id = topic_id;
    state.partitions = std::move(partitions);
    state.lanes.resize(state.partitions.size());
}

void Grouper::build(std::span<const PendingAppend> appends, TimestampMs now) {
    blocks_.clear();
    touched_.clear();
    ends_.clear();
    for (std::size_t i = 0; i < appends.size(); ++i)
        add(appends[i].topic, appends[i].batch, i + 1, now);
    for (const std::size_t topic : touched_) {
        Topic& state = topics_[topic];
        state.touched = false;
        for (std::size_t i = 0; i < state.lanes.size(); ++i) {
            if (state.lanes[i].builder.started())
                finish(topic, Partition{static_cast<std::int32_t>(i)});
        }
        ends_.push_back({state.id, state.partitions});
    }
}

void Grouper::add(std::size_t topic, const RecordBatch& batch, std::size_t append,
                  TimestampMs now) {
    Topic& state = topics_[topic];
    if (!std::exchange(state.touched, true))
        touched_.push_back(topic);
    const auto partitions = static_cast<std::int32_t>(state.partitions.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto [key, value] = batch[i];
        const Partition partition = partition_of(key, partitions);
        const auto index = static_cast<std::size_t>(partition.value);
        Lane& lane = state.lanes[index];
        const std::size_t size = record_frame_bytes + key.size() + value.size();
        if (lane.builder.started() && lane.builder.size() + size > block_bytes)
            finish(topic, partition);
        if (!lane.builder.started()) {
            PartitionBounds& bounds = state.partitions[index];
            bounds.last_append = std::max(bounds.last_append, now);
            lane.builder.start(bounds.end, bounds.last_append);
            lane.last_append = 0;
        }
        if (std::exchange(lane.last_append, append) != append)
            lane.builder.set_headers(batch.headers());
        lane.builder.add(key, value);
    }
}

void Grouper::finish(std::size_t topic, Partition partition) {
    Topic& state = topics_[topic];
    BlockBuilder& builder = state.lanes[static_cast<std::size_t>(partition.value)].builder;
    PartitionBounds& bounds = state.partitions[static_cast<std::size_t>(partition.value)];
    const BlockInfo info{bounds.end, Offset{bounds.end.value + builder.count()},
                         bounds.last_append};
    blocks_.push_back({topic, state.id, partition, info, builder.finish()});
    bounds.end = info.end;
}

}  // namespace adtally::eventlog
