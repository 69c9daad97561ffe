// The durable event log: what the collector writes to and the processor reads from.
//
// Problem. An event may only be acknowledged once it can no longer be lost, and a reader must be
// able to come back to an exact position. That is a partitioned, append-only log with offsets:
// Apache Kafka in the full stack, RocksDB inside the process in the embedded one. No caller knows
// which one it has.
//
// Promise. `append` reports success only after every record of the batch is durable. It reports
// once, whatever happens, also at shutdown. A failure with code `timed_out` may have been written
// all the same: event ids and deduplication are for that. Offsets of a partition are dense and
// ascending; `appended_at` never decreases along a partition. Records with equal keys share a
// partition: partition = (murmur2(key) & 0x7fffffff) mod partitions, as Kafka's Java client has it.
//
// Threads. `Producer::append` may be called from any thread and never blocks; the completion is
// called on a thread of the log and must be short. A Consumer belongs to one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/strong.hpp"
#include "base/unique_function.hpp"

namespace adtally::eventlog {

struct Header {
    std::string name;
    std::string value;
};

// Records that are appended together. One buffer for all of them: a batch of 5,000 events is two
// allocations. The headers (a trace, a dead letter's origin) stand for every record of the batch.
class RecordBatch {
public:
    struct Record {
        std::string_view key;
        std::string_view value;
    };

    void reserve(std::size_t records, std::size_t bytes) {
        entries_.reserve(records);
        bytes_.reserve(bytes);
    }
    void add(std::string_view key, std::string_view value) {
        begin_value(key).append(value);
        end_value();
    }
    // For an encoder that writes in place: append the value to the string that is returned, then
    // call end_value().
    std::string& begin_value(std::string_view key) {
        bytes_.append(key);
        entries_.push_back({bytes_.size() - key.size(), key.size(), 0});
        return bytes_;
    }
    void end_value() {
        Entry& entry = entries_.back();
        entry.value_size = bytes_.size() - entry.key_start - entry.key_size;
    }
    void add_header(std::string name, std::string value) {
        headers_.push_back({std::move(name), std::move(value)});
    }

    Record operator[](std::size_t index) const {
        const Entry& entry = entries_[index];
        std::string_view bytes{bytes_};
        return {bytes.substr(entry.key_start, entry.key_size),
                bytes.substr(entry.key_start + entry.key_size, entry.value_size)};
    }
    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }
    std::size_t byte_size() const { return bytes_.size(); }
    std::span<const Header> headers() const { return headers_; }

private:
    struct Entry {
        std::size_t key_start;
        std::size_t key_size;
        std::size_t value_size;
    };
    std::string bytes_;
    std::vector<Entry> entries_;
    std::vector<Header> headers_;
};

using AppendDone = UniqueFunction<void(Status)>;

// What health shows of a log.
struct LogHealth {
    bool up = true;
    std::string reason;  // empty while up
    std::uint64_t appends_in_flight = 0;
    std::uint64_t bytes_in_flight = 0;
    // More for people: name, value.
    std::vector<std::pair<std::string, std::string>> details = {};
};

class Producer {
public:
    virtual ~Producer() = default;
    // Refused at once (through `done`, with `overloaded` or `storage_full`) when the log cannot
    // take more; `too_large` for a record above the log's limit, and then none is written.
    virtual void append(std::string_view topic, RecordBatch batch, AppendDone done) = 0;
    virtual LogHealth health() const = 0;
    // Largest key + value that is taken, in bytes.
    virtual std::size_t max_record_bytes() const = 0;
};

// Bytes behind the end of every fetched value that may be read (their content means nothing), as
// simdjson wants it: a value is parsed where it lies.
inline constexpr std::size_t value_padding = 64;

struct FetchedRecord {
    Offset offset;
    TimestampMs appended_at;
    std::string_view key;    // valid until the next poll into the same FetchedBatch
    std::string_view value;  // likewise; followed by at least `value_padding` readable bytes
};

// The headers of the records from `first_record` on, to where the next run begins.
struct HeaderRun {
    std::uint32_t first_record;
    std::vector<Header> headers;
};

// Records of one partition in offset order, and the memory they live in. Reuse it between polls.
struct FetchedBatch {
    // Set by the reader: headers cost time, and who counts events has no use for them.
    bool wants_headers = false;
    Partition partition;
    std::vector<FetchedRecord> records;
    std::vector<HeaderRun> header_runs;  // ascending; empty unless wanted
    std::shared_ptr<void> storage;       // the log's own; keeps the views alive
    void clear() {
        records.clear();
        header_runs.clear();
        storage.reset();
    }
    // Of records[index]; none unless wanted.
    std::span<const Header> headers_of(std::size_t index) const {
        const auto next = std::upper_bound(
            header_runs.begin(), header_runs.end(), index,
            [](std::size_t at, const HeaderRun& run) { return at < run.first_record; });
        if (next == header_runs.begin())
            return {};
        return std::prev(next)->headers;
    }
};

// Offsets that exist now: [begin, end). begin > 0 once retention has removed records.
struct Watermarks {
    Offset begin;
    Offset end;
};

// Called on the thread that polls, inside poll().
class AssignmentListener {
public:
    virtual ~AssignmentListener() = default;
    // Seek each partition before returning; one that is not sought stays paused.
    virtual void on_assigned(std::span<const Partition> partitions) = 0;
    virtual void on_revoked(std::span<const Partition> partitions) = 0;
};

// Answers questions about a topic's partitions and reads stretches of them, outside of any group.
// Belongs to one thread.
class Reader {
public:
    virtual ~Reader() = default;
    virtual Result<Watermarks> watermarks(Partition partition) = 0;
    // Smallest offset whose record was appended at or after `at`; the end when there is none.
    virtual Result<Offset> offset_at(Partition partition, TimestampMs at) = 0;
    // Reads [from, to) of one partition. Returns fewer than asked where the log's own batches end;
    // empty only when no record stands there: Kafka's transactions leave offsets without one.
    // Fails as Consumer::poll() does, and with `conflict` when `to` lies past the end.
    virtual Status read(Partition partition, Offset from, Offset to, FetchedBatch& batch) = 0;
};

// A Reader that also follows a topic, as a member of a group. What it reads as a Reader is outside
// of the polling order: for restoring state.
class Consumer : public Reader {
public:
    // Delivers assignments first (the embedded log assigns all partitions at the first poll), then
    // waits until `deadline` for records of any assigned partition. At most `max_records`; an
    // empty batch when there were none in time. Partitions take turns.
    // On failure `batch.partition` names the partition and its position has not moved:
    // `not_found` when retention has removed the position (seek to the begin), `corrupt` when the
    // stored bytes fail their check, `unavailable` when the storage cannot be read just now.
    // With max_records 0 only assignments are served, at once.
    virtual Status poll(FetchedBatch& batch, std::size_t max_records, Deadline deadline) = 0;
    // True once no poll will deliver any more, because another member took this one's name: each
    // fails from then on, and all partitions were revoked. Ask the log for another consumer.
    virtual bool ended() const { return false; }
    // The end of an assigned partition as far as it is known without asking; nothing at first.
    virtual std::optional<Offset> known_end(Partition partition) const = 0;
    // `conflict` when `next` lies past the end: a position of another log, or of one that has lost
    // records. A log that would have to ask says `not_found` at the next poll instead.
    virtual Status seek(Partition partition, Offset next) = 0;
    // A hint for tools that watch lag (Kafka's group offsets). Never read back by us.
    virtual void commit_hint(Partition partition, Offset next) = 0;
};

struct TopicInfo {
    std::string name;
    std::int32_t partitions = 0;
    // Chosen when the log was created: offsets of another log must not be taken for this one's.
    std::string log_id;
};

// What both stacks offer to the wiring in app/.
class EventLog {
public:
    virtual ~EventLog() = default;
    virtual Producer& producer() = 0;
    virtual Result<std::unique_ptr<Consumer>> consumer(std::string_view topic,
                                                       AssignmentListener& listener) = 0;
    // Must end before the log does.
    virtual Result<std::unique_ptr<Reader>> reader(std::string_view topic) = 0;
    virtual Result<TopicInfo> topic(std::string_view name) const = 0;
    virtual Result<std::vector<Watermarks>> watermarks(std::string_view topic) const = 0;
    // Refuses new appends, makes the pending ones durable, reports each. Further calls do nothing.
    virtual void close() = 0;
};

// Partition of a key as Kafka's Java client computes it (murmur2, seed 0x9747b28c).
// Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.
Partition partition_of(std::string_view key, std::int32_t partitions);

}  // namespace adtally::eventlog
