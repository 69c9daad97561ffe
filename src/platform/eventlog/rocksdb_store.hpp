// What is on the disk: topics, blocks, and how far each partition goes.
//
// Problem. RocksDB knows keys and values; the log needs "this commit whole or not at all", "no
// record is missing" and "one line that says what is wrong".
//
// Keys (numbers big-endian, so that they sort):
//   0x0000 'v'                                the format of the database
//   0x0000 't' name                           topic id, partitions, log id
//   topic id (16) 'e'                         ends: per partition the end offset and the last
//                                             append time, rewritten by every commit
//   topic id (16) 'b' partition (32)          begin offset, once retention has removed something
//   topic id (16) 'r' partition (32) base (64)  a block
//
// Promise. A commit is one synced write: blocks and ends together. Opening compares the ends with
// the last block of each partition, reading compares each block with the end of the one before:
// a record that is missing is `corrupt`, never a gap.
//
// Threads. Reads and compact() from any thread; writes and reopen() from one. reopen() waits for
// the others.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/eventlog/block.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/stored_block.hpp"

namespace rocksdb {
class DB;
}

namespace adtally::eventlog {

struct PartitionBounds {
    Offset begin;
    Offset end;
    TimestampMs last_append{};
};

struct StoredTopic {
    std::uint16_t id = 0;
    std::string log_id;
    std::vector<PartitionBounds> partitions;
};

struct CommitBlock {
    std::size_t topic = 0;  // index in the log's list of topics
    std::uint16_t topic_id = 0;
    Partition partition;
    BlockInfo info{};
    BlockBytes bytes;
};

struct TopicEnds {
    std::uint16_t topic_id;
    std::span<const PartitionBounds> partitions;
};

struct PartitionId {
    std::uint16_t topic_id;
    Partition partition;
};

class RocksDbStore {
public:
    // Creates the directory and the database where there is none. Throws std::runtime_error.
    explicit RocksDbStore(std::filesystem::path directory);
    ~RocksDbStore();
    RocksDbStore(const RocksDbStore&) = delete;
    RocksDbStore& operator=(const RocksDbStore&) = delete;

    // Creates the topic where there is none. Throws std::runtime_error, also when its stored
    // number of partitions is another or records are missing at an end.
    StoredTopic open_topic(std::string_view name, std::int32_t partitions);
    // As open_topic found them, read and checked again.
    Result<std::vector<PartitionBounds>> bounds(std::uint16_t topic_id, std::int32_t partitions);

    // Durable once it returns ok. After a failure it is not known what is: reopen().
    Status write(std::span<const CommitBlock> blocks, std::span<const TopicEnds> ends);
    // Closes the database and opens it again, which decides what a failed write has left.
    Status reopen();

    // Appends the checked blocks that hold [from, to) to `blocks`, until they are `max_bytes`.
    Status read(PartitionId id, Offset from, Offset to, std::size_t max_bytes,
                std::vector<BlockBytes>& blocks);
    // The first offset in [begin, end] of a block that was appended at or after `at`.
    Result<Offset> first_at(PartitionId id, Watermarks range, TimestampMs at);
    // Removes [begin, new_begin), which ends where a block ends.
    Status remove_before(PartitionId id, Offset begin, Offset new_begin);
    // Frees what was removed. Takes as long as it takes; may run beside all others.
    void compact();
    // Breaks off a compact() that runs and makes later ones return at once.
    void cancel_compaction() { compaction_cancelled_ = true; }

private:
    Result<PartitionBounds> bounds_of(PartitionId id, PartitionBounds stored);
    Result<Offset> base_of(PartitionId id, Offset offset);
    Result<StoredTopic> create_topic(std::string_view name, std::int32_t partitions);

    const std::filesystem::path directory_;
    BlockPacker packer_;  // the writer's
    std::atomic<bool> compaction_cancelled_{false};
    std::shared_mutex open_;           // shared: uses db_; alone: replaces it
    std::unique_ptr<rocksdb::DB> db_;  // null while reopening has failed
};

}  // namespace adtally::eventlog
