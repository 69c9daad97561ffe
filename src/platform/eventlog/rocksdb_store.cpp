#include "platform/eventlog/rocksdb_store.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <random>
#include <stdexcept>
#include <utility>

#include "platform/eventlog/block_iterator.hpp"
#include "platform/eventlog/rocksdb_open.hpp"
#include "platform/eventlog/store_keys.hpp"

namespace adtally::eventlog {
namespace {

// 1 had no compressed blocks; it is taken over as it is.
constexpr std::uint32_t database_format = 2;
constexpr std::uint32_t oldest_format = 1;
constexpr std::size_t bytes_per_end = 16;

rocksdb::WriteOptions durably() {
    rocksdb::WriteOptions options;
    options.sync = true;
    return options;
}

std::string number_value(std::uint64_t number) {
    std::string value;
    append_le(value, number);
    return value;
}

Error closed() {
    return {ErrorCode::unavailable, "the event log's storage could not be opened again so far"};
}

// NotFound is an empty value, everything else that is not ok a failure.
Result<std::string> get(rocksdb::DB& db, const std::string& key) {
    std::string value;
    const auto status = db.Get(rocksdb::ReadOptions{}, key, &value);
    if (status.ok() || status.IsNotFound())
        return value;
    return to_error(status);
}

std::string encoded_ends(std::span<const PartitionBounds> partitions) {
    std::string value;
    value.reserve(partitions.size() * bytes_per_end);
    for (const PartitionBounds& each : partitions) {
        append_le(value, static_cast<std::uint64_t>(each.end.value));
        append_le(value, static_cast<std::uint64_t>(each.last_append.value));
    }
    return value;
}

PartitionBounds decoded_end(const std::string& ends, std::size_t partition) {
    const char* at = ends.data() + partition * bytes_per_end;
    return {Offset{0}, Offset{static_cast<std::int64_t>(load_le<std::uint64_t>(at))},
            TimestampMs{static_cast<std::int64_t>(load_le<std::uint64_t>(at + 8))}};
}

// A random UUID, version 4.
std::string new_log_id() {
    std::random_device random;
    std::uint32_t words[4];
    for (auto& word : words)
        word = random();
    words[1] = (words[1] & 0xffff0fffu) | 0x00004000u;
    words[2] = (words[2] & 0x3fffffffu) | 0x80000000u;
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", words[0], words[1] >> 16,
                       words[1] & 0xffff, words[2] >> 16, words[2] & 0xffff, words[3]);
}

// A topic's entry in the catalogue: id (16) | partitions (32) | log id.
constexpr std::size_t entry_frame_bytes = 6;

void check_format(rocksdb::DB& db, const std::filesystem::path& directory) {
    const auto stored = get(db, format_key());
    if (!stored)
        throw std::runtime_error(stored.error().message);
    const auto format =
        stored.value().size() == 8 ? load_le<std::uint64_t>(stored.value().data()) : 0;
    // Before the first block that an older adtally could not read.
    if (stored.value().empty() || (format >= oldest_format && format < database_format)) {
        const auto status = db.Put(durably(), format_key(), number_value(database_format));
        if (!status.ok())
            throw std::runtime_error(
                fmt::format("data directory {} cannot be written ({}); repair "
                            "it or choose another with --data-dir",
                            directory.string(), status.ToString()));
        return;
    }
    if (format != database_format)
        throw std::runtime_error(
            fmt::format("the event log in {} has format {}, this adtally knows {}; run the adtally "
                        "that wrote it or choose another directory with --data-dir",
                        directory.string(), format, database_format));
}

}  // namespace

RocksDbStore::RocksDbStore(std::filesystem::path directory) : directory_(std::move(directory)) {
    auto opened = open_database(directory_);
    if (!opened)
        throw std::runtime_error(opened.error().message);
    db_ = std::move(opened.value());
    check_format(*db_, directory_);
}

RocksDbStore::~RocksDbStore() = default;

StoredTopic RocksDbStore::open_topic(std::string_view name, std::int32_t partitions) {
    const auto entry = get(*db_, catalogue_key(name));
    if (!entry)
        throw std::runtime_error(entry.error().message);
    if (entry.value().empty()) {
        auto created = create_topic(name, partitions);
        if (!created)
            throw std::runtime_error(created.error().message);
        return std::move(created.value());
    }
    if (entry.value().size() <= entry_frame_bytes)
        throw std::runtime_error(
            fmt::format("the event log in {} is damaged (the entry of topic "
                        "{}); restore the directory from a copy",
                        directory_.string(), name));
    StoredTopic topic;
    topic.id = load_le<std::uint16_t>(entry.value().data());
    topic.log_id = entry.value().substr(entry_frame_bytes);
    const auto stored = load_le<std::uint32_t>(entry.value().data() + 2);
    if (stored != static_cast<std::uint32_t>(partitions))
        throw std::runtime_error(fmt::format(
            "topic {} in {} has {} partitions, {} are configured; configure {} or choose another "
            "directory with --data-dir",
            name, directory_.string(), stored, partitions, stored));
    auto found = bounds(topic.id, partitions);
    if (!found)
        throw std::runtime_error(
            fmt::format("the event log in {} is damaged (topic {}, {}); restore the directory from "
                        "a copy, or move it away to start an empty log",
                        directory_.string(), name, found.error().message));
    topic.partitions = std::move(found.value());
    return topic;
}

Result<StoredTopic> RocksDbStore::create_topic(std::string_view name, std::int32_t partitions) {
    std::uint16_t last_id = 0;
    const std::string first = catalogue_key("");
    std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions{}));
    for (iterator->Seek(first); iterator->Valid() && iterator->key().starts_with(first);
         iterator->Next()) {
        if (iterator->value().size() > entry_frame_bytes)
            last_id = std::max(last_id, load_le<std::uint16_t>(iterator->value().data()));
    }
    if (!iterator->status().ok())
        return to_error(iterator->status());

    StoredTopic topic;
    topic.id = static_cast<std::uint16_t>(last_id + 1);
    topic.log_id = new_log_id();
    topic.partitions.resize(static_cast<std::size_t>(partitions));
    std::string entry;
    append_le(entry, topic.id);
    append_le(entry, static_cast<std::uint32_t>(partitions));
    entry += topic.log_id;
    rocksdb::WriteBatch batch;
    batch.Put(catalogue_key(name), entry);
    batch.Put(ends_key(topic.id), encoded_ends(topic.partitions));
    const auto status = db_->Write(durably(), &batch);
    if (!status.ok())
        return to_error(status);
    return topic;
}

Result<std::vector<PartitionBounds>> RocksDbStore::bounds(std::uint16_t topic_id,
                                                          std::int32_t partitions) {
    std::shared_lock lock(open_);
    if (!db_)
        return closed();
    ADTALLY_TRY(auto ends, get(*db_, ends_key(topic_id)));
    if (ends.size() != static_cast<std::size_t>(partitions) * bytes_per_end)
        return Error{ErrorCode::corrupt, "the ends of the partitions are not stored"};
    std::vector<PartitionBounds> found;
    for (std::int32_t i = 0; i < partitions; ++i) {
        const PartitionId id{topic_id, Partition{i}};
        ADTALLY_TRY(auto bounds, bounds_of(id, decoded_end(ends, static_cast<std::size_t>(i))));
        found.push_back(bounds);
    }
    return found;
}

Result<PartitionBounds> RocksDbStore::bounds_of(PartitionId id, PartitionBounds stored) {
    ADTALLY_TRY(auto begin, get(*db_, begin_key(id.topic_id, id.partition)));
    if (!begin.empty() && begin.size() != sizeof(std::uint64_t))
        return Error{ErrorCode::corrupt, "a begin offset has no eight bytes"};
    if (!begin.empty())
        stored.begin = Offset{static_cast<std::int64_t>(load_le<std::uint64_t>(begin.data()))};

    BlockIterator last{*db_, id};
    last.seek(Offset{std::numeric_limits<std::int64_t>::max()});
    Offset end = stored.begin;
    if (last.valid()) {
        ADTALLY_TRY(const auto block, last.block());
        end = info_of(framed(block)).end;
    } else if (auto status = last.status(); !status) {
        return status.error();
    }
    if (end != stored.end)
        return Error{ErrorCode::corrupt,
                     fmt::format("partition {} ends at {}, its last commit ended at {}: records "
                                 "are missing",
                                 id.partition.value, end.value, stored.end.value)};
    return stored;
}

Status RocksDbStore::write(std::span<const CommitBlock> blocks, std::span<const TopicEnds> ends) {
    std::shared_lock lock(open_);
    if (!db_)
        return closed();
    rocksdb::WriteBatch batch;
    for (const CommitBlock& block : blocks) {
        const std::string_view value = packer_.pack(framed(block.bytes));
        batch.Put(block_key(block.topic_id, block.partition, block.info.base),
                  rocksdb::Slice(value.data(), value.size()));
    }
    for (const TopicEnds& topic : ends)
        batch.Put(ends_key(topic.topic_id), encoded_ends(topic.partitions));
    const auto status = db_->Write(durably(), &batch);
    if (!status.ok())
        return to_error(status);
    return ok();
}

Status RocksDbStore::reopen() {
    const bool cancelled = compaction_cancelled_.exchange(true);
    std::unique_lock lock(open_);
    compaction_cancelled_ = cancelled;
    db_.reset();
    auto opened = open_database(directory_);
    if (!opened)
        return opened.error();
    db_ = std::move(opened.value());
    return ok();
}

Status RocksDbStore::read(PartitionId id, Offset from, Offset to, std::size_t max_bytes,
                          std::vector<BlockBytes>& blocks) {
    std::shared_lock lock(open_);
    if (!db_)
        return closed();
    BlockIterator at{*db_, id};
    at.seek(from);
    std::size_t taken = 0;
    for (; from < to && taken < max_bytes; at.next()) {
        Offset base = to;
        BlockInfo info{};
        BlockBytes block;
        if (at.valid()) {
            ADTALLY_TRY(block, at.block());
            info = info_of(framed(block));
            base = info.base;
        } else if (auto status = at.status(); !status) {
            return status;
        }
        const bool first = taken == 0;
        if (first ? (base > from || info.end <= from) : base != from)
            return Error{ErrorCode::corrupt,
                         fmt::format("partition {}: the record at {} is missing",
                                     id.partition.value, from.value)};
        taken += block->size();
        blocks.push_back(std::move(block));
        from = info.end;
    }
    return ok();
}

Result<Offset> RocksDbStore::first_at(PartitionId id, Watermarks range, TimestampMs at) {
    std::shared_lock lock(open_);
    if (!db_)
        return closed();
    BlockIterator block{*db_, id};
    while (range.begin < range.end) {
        block.seek(Offset{range.begin.value + (range.end.value - range.begin.value) / 2});
        if (!block.valid()) {
            ADTALLY_TRY(block.status());
            return Error{ErrorCode::corrupt, fmt::format("partition {}: no block below {}",
                                                         id.partition.value, range.end.value)};
        }
        ADTALLY_TRY(const auto bytes, block.block());
        const BlockInfo info = info_of(framed(bytes));
        if (info.end <= range.begin)
            return Error{ErrorCode::corrupt,
                         fmt::format("partition {}: the record at {} is missing",
                                     id.partition.value, range.begin.value)};
        if (info.appended_at >= at)
            range.end = std::max(info.base, range.begin);
        else
            range.begin = info.end;
    }
    return range.begin;
}

// Of the block that holds the record; the offset itself where none does.
Result<Offset> RocksDbStore::base_of(PartitionId id, Offset offset) {
    BlockIterator at{*db_, id};
    at.seek(offset);
    if (!at.valid()) {
        ADTALLY_TRY(at.status());
        return offset;
    }
    ADTALLY_TRY(const auto block, at.block());
    const BlockInfo info = info_of(framed(block));
    return info.end > offset ? std::min(offset, info.base) : offset;
}

Status RocksDbStore::remove_before(PartitionId id, Offset begin, Offset new_begin) {
    std::shared_lock lock(open_);
    if (!db_)
        return closed();
    // A begin may lie inside a block: the one of the new begin stays, the one of the old goes.
    ADTALLY_TRY(const Offset gone, base_of(id, begin));
    ADTALLY_TRY(const Offset kept, base_of(id, new_begin));
    rocksdb::WriteBatch batch;
    if (gone < kept)
        batch.DeleteRange(block_key(id.topic_id, id.partition, gone),
                          block_key(id.topic_id, id.partition, kept));
    batch.Put(begin_key(id.topic_id, id.partition),
              number_value(static_cast<std::uint64_t>(new_begin.value)));
    const auto status = db_->Write(durably(), &batch);
    if (!status.ok())
        return to_error(status);
    return ok();
}

void RocksDbStore::compact() {
    std::shared_lock lock(open_);
    if (!db_ || compaction_cancelled_)
        return;
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    options.canceled = &compaction_cancelled_;
    // A failure shows in the next write, and that one is answered for.
    (void)db_->CompactRange(options, nullptr, nullptr);
}

}  // namespace adtally::eventlog
