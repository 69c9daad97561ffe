#include "platform/eventlog/rocksdb_consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace adtally::eventlog {
namespace {

constexpr std::size_t read_ahead_bytes = 1u << 20;

// Those of a block's records [first, first + count), which become the batch's from `at` on.
void add_header_runs(std::string_view block, std::size_t first, std::size_t count, std::size_t at,
                     FetchedBatch& batch) {
    std::vector<HeaderRun> runs = header_runs(block);
    std::vector<Header> begin;  // what holds at `first`
    std::size_t next = 0;
    for (; next < runs.size() && runs[next].first_record <= first; ++next)
        begin = std::move(runs[next].headers);
    batch.header_runs.push_back({static_cast<std::uint32_t>(at), std::move(begin)});
    for (; next < runs.size() && runs[next].first_record < first + count; ++next)
        batch.header_runs.push_back(
            {static_cast<std::uint32_t>(at + runs[next].first_record - first),
             std::move(runs[next].headers)});
}

}  // namespace

RocksDbConsumer::RocksDbConsumer(RocksDbStore& store, const TopicState& topic,
                                 AssignmentListener& listener, std::atomic<int>& consumers)
    : store_(store),
      topic_(topic),
      listener_(listener),
      consumers_(consumers),
      cursors_(static_cast<std::size_t>(topic.info().partitions)) {
    ++consumers_;
}

RocksDbConsumer::~RocksDbConsumer() {
    --consumers_;
}

Status RocksDbConsumer::poll(FetchedBatch& batch, std::size_t max_records, Deadline deadline) {
    batch.clear();
    if (!std::exchange(assigned_, true)) {
        std::vector<Partition> all;
        all.reserve(static_cast<std::size_t>(topic_.info().partitions));
        for (std::int32_t i = 0; i < topic_.info().partitions; ++i)
            all.push_back(Partition{i});
        listener_.on_assigned(all);
    }
    if (max_records == 0)
        return ok();
    bool found = false;
    topic_.wait(deadline.at(), [&](std::span<const Watermarks> watermarks, const TailCache& tail) {
        return found = find_ready(watermarks, tail);
    });
    if (!found)
        return ok();
    turn_ = (ready_ + 1) % cursors_.size();
    batch.partition = Partition{static_cast<std::int32_t>(ready_)};
    Cursor& cursor = cursors_[ready_];
    if (cursor.blocks.empty()) {
        ADTALLY_TRY(fetch(batch.partition, cursor.position, ready_end_, cursor.blocks));
    }
    take(cursor, ready_end_, max_records, batch);
    return ok();
}

// The next partition in turn that has something new; with its newest blocks, if they are held.
bool RocksDbConsumer::find_ready(std::span<const Watermarks> watermarks, const TailCache& tail) {
    for (std::size_t i = 0; i < cursors_.size(); ++i) {
        const std::size_t index = (turn_ + i) % cursors_.size();
        Cursor& cursor = cursors_[index];
        if (!cursor.sought || cursor.position >= watermarks[index].end)
            continue;
        ready_ = index;
        ready_end_ = watermarks[index].end;
        if (cursor.blocks.empty() && cursor.position >= watermarks[index].begin)
            tail.copy(Partition{static_cast<std::int32_t>(index)}, cursor.position,
                      read_ahead_bytes, cursor.blocks);
        return true;
    }
    return false;
}

Status RocksDbConsumer::seek(Partition partition, Offset next) {
    if (!topic_.has(partition))
        return unknown(partition);
    const Watermarks now = topic_.watermarks(partition);
    if (next.value < 0 || next > now.end)
        return Error{ErrorCode::conflict,
                     fmt::format("{}/{} ends at {}, it has no position {}: the position is of "
                                 "another log, or this one has lost records",
                                 topic_.info().name, partition.value, now.end.value, next.value)};
    Cursor& cursor = cursors_[static_cast<std::size_t>(partition.value)];
    cursor = Cursor{};
    cursor.sought = true;
    cursor.position = next;
    return ok();
}

Result<Watermarks> RocksDbConsumer::watermarks(Partition partition) {
    if (!topic_.has(partition))
        return unknown(partition);
    return topic_.watermarks(partition);
}

Result<Offset> RocksDbConsumer::offset_at(Partition partition, TimestampMs at) {
    if (!topic_.has(partition))
        return unknown(partition);
    Watermarks range = topic_.watermarks(partition);
    for (;;) {
        auto found = store_.first_at(topic_.id_of(partition), range, at);
        const Offset begin = topic_.watermarks(partition).begin;
        // Retention may have removed what the search stood on.
        if (begin == range.begin)
            return found;
        range.begin = begin;
        range.end = std::max(range.end, begin);
    }
}

Status RocksDbConsumer::read(Partition partition, Offset from, Offset to, FetchedBatch& batch) {
    batch.clear();
    batch.partition = partition;
    if (!topic_.has(partition))
        return unknown(partition);
    if (from >= to)
        return ok();
    const Watermarks now = topic_.watermarks(partition);
    if (from.value < 0 || to > now.end)
        return Error{
            ErrorCode::conflict,
            fmt::format("{}/{} ends at {}, it has no records [{}, {}): the positions are "
                        "of another log, or this one has lost records",
                        topic_.info().name, partition.value, now.end.value, from.value, to.value)};
    Cursor cursor;
    cursor.position = from;
    if (from >= now.begin)
        topic_.copy_tail(partition, from, read_ahead_bytes, cursor.blocks);
    if (cursor.blocks.empty()) {
        ADTALLY_TRY(fetch(partition, from, to, cursor.blocks));
    }
    take(cursor, to, static_cast<std::size_t>(to.value - from.value), batch);
    return ok();
}

Status RocksDbConsumer::fetch(Partition partition, Offset from, Offset to,
                              std::vector<BlockBytes>& blocks) {
    if (from < topic_.watermarks(partition).begin)
        return explained(partition, from, {ErrorCode::not_found, {}});
    auto fetched = store_.read(topic_.id_of(partition), from, to, read_ahead_bytes, blocks);
    // What was read before the failure is good, and the failure will be met again behind it.
    if (fetched || !blocks.empty())
        return ok();
    return explained(partition, from, fetched.error());
}

Error RocksDbConsumer::explained(Partition partition, Offset from, Error error) const {
    const Offset begin = topic_.watermarks(partition).begin;
    if (from < begin)
        return {ErrorCode::not_found,
                fmt::format("retention has removed the record at {} of {}/{}: go on at {}",
                            from.value, topic_.info().name, partition.value, begin.value)};
    error.message = fmt::format("{}, {}", topic_.info().name, error.message);
    return error;
}

Error RocksDbConsumer::unknown(Partition partition) const {
    return {ErrorCode::not_found,
            fmt::format("topic {} has partitions 0 to {}, not {}", topic_.info().name,
                        topic_.info().partitions - 1, partition.value)};
}

// Moves records below `to` from the cursor's blocks to the batch.
void RocksDbConsumer::take(Cursor& cursor, Offset to, std::size_t max_records,
                           FetchedBatch& batch) {
    auto used = std::make_shared<std::vector<BlockBytes>>();
    std::size_t finished = 0;
    while (finished < cursor.blocks.size() && batch.records.size() < max_records &&
           cursor.position < to) {
        const BlockBytes& block = cursor.blocks[finished];
        const BlockInfo info = info_of(framed(block));
        if (!std::exchange(cursor.reading, true)) {
            cursor.reader = RecordReader{framed(block)};
            for (std::int64_t at = info.base.value; at < cursor.position.value; ++at)
                cursor.reader.next();
        }
        const auto wanted = static_cast<std::int64_t>(max_records - batch.records.size());
        const Offset stop{std::min({info.end.value, to.value, cursor.position.value + wanted})};
        const auto count = static_cast<std::size_t>(stop.value - cursor.position.value);
        if (batch.wants_headers)
            add_header_runs(framed(block),
                            static_cast<std::size_t>(cursor.position.value - info.base.value),
                            count, batch.records.size(), batch);
        batch.records.reserve(batch.records.size() + count);
        for (; cursor.position < stop; ++cursor.position.value) {
            const auto [key, value] = cursor.reader.next();
            batch.records.push_back({cursor.position, info.appended_at, key, value});
        }
        used->push_back(block);
        if (cursor.position == info.end) {
            cursor.reading = false;
            ++finished;
        }
    }
    cursor.blocks.erase(cursor.blocks.begin(),
                        cursor.blocks.begin() + static_cast<std::ptrdiff_t>(finished));
    batch.storage = std::move(used);
}

}  // namespace adtally::eventlog
