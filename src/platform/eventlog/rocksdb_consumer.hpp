// Reads a topic of the embedded log: the newest blocks from memory, older ones from the disk.
//
// A position is kept for each partition, and the blocks that were read ahead of it (at most about
// 1 MiB), so that a poll for few records does not read a block twice. Partitions take turns. The
// records that are handed out are views into blocks that the batch keeps alive.
//
// Threads. One; the log must live longer.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "platform/eventlog/block.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/rocksdb_store.hpp"
#include "platform/eventlog/topic_state.hpp"

namespace adtally::eventlog {

class RocksDbConsumer final : public Consumer {
public:
    // Counts itself in `consumers` as long as it lives.
    RocksDbConsumer(RocksDbStore& store, const TopicState& topic, AssignmentListener& listener,
                    std::atomic<int>& consumers);
    ~RocksDbConsumer() override;

    Status poll(FetchedBatch& batch, std::size_t max_records, Deadline deadline) override;
    Status seek(Partition partition, Offset next) override;
    std::optional<Offset> known_end(Partition partition) const override {
        return topic_.watermarks(partition).end;
    }
    Result<Watermarks> watermarks(Partition partition) override;
    Result<Offset> offset_at(Partition partition, TimestampMs at) override;
    Status read(Partition partition, Offset from, Offset to, FetchedBatch& batch) override;
    void commit_hint(Partition, Offset) override {}

private:
    struct Cursor {
        bool sought = false;
        Offset position{};
        std::vector<BlockBytes> blocks;  // the first one holds `position`, unless empty
        RecordReader reader;             // stands at `position`, when `reading`
        bool reading = false;
    };

    bool find_ready(std::span<const Watermarks> watermarks, const TailCache& tail);
    Status fetch(Partition partition, Offset from, Offset to, std::vector<BlockBytes>& blocks);
    Error explained(Partition partition, Offset from, Error error) const;
    Error unknown(Partition partition) const;
    static void take(Cursor& cursor, Offset to, std::size_t max_records, FetchedBatch& batch);

    RocksDbStore& store_;
    const TopicState& topic_;
    AssignmentListener& listener_;
    std::atomic<int>& consumers_;
    bool assigned_ = false;
    std::vector<Cursor> cursors_;
    std::size_t turn_ = 0;
    std::size_t ready_ = 0;
    Offset ready_end_{};
};

}  // namespace adtally::eventlog
