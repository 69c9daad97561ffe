// One partition's stretch of the pipeline: decode, deduplicate, price, fold; hand over a flush.
//
// Positions. `flushed` is what the store is known to hold, `next` the record that comes next; what
// lies between is pending, in memory only. flushed ≤ next always; the books of the pending stretch
// add up to next - flushed (asserted before every flush).
// Threads. One: the loop's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/catalogue.hpp"
#include "domain/codec.hpp"
#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "pipeline/processor/history.hpp"
#include "pipeline/processor/ports.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::processor {

// A record that cannot be counted, kept with its reason.
struct DeadLetter {
    Offset offset;
    TimestampMs appended_at;
    std::string key;
    std::string value;
    std::string reason;   // the rejection's code
    std::string message;  // for people
};

// A record as an event, or why it is none. Reused from record to record.
struct Decoded {
    domain::Decoder decoder;
    domain::Event event;
    std::optional<domain::Rejection> rejection;
    Deduplicator::Key key;  // of an event
};

// What decoding and pricing need; shared by the partitions of one loop.
struct Tools {
    domain::Decoder decoder;
    domain::Catalogue catalogue;
    domain::Event event;             // reused from record to record
    std::array<Decoded, 2> decoded;  // this one and the next
};

class PartitionState {
public:
    PartitionState(Partition partition, Aggregator aggregator, Deduplicator deduplicator);

    Partition partition() const { return partition_; }
    // False until reset_to() has been called: nothing is known of the store.
    bool positioned() const { return positioned_; }
    Offset flushed() const { return flushed_; }
    Offset next() const { return next_; }
    bool first() const { return first_; }
    bool pending() const { return flushed_ < next_; }
    std::int64_t pending_events() const { return next_.value - flushed_.value; }
    std::size_t pending_keys() const { return aggregator_.size(); }
    const Books& books() const { return books_; }
    const Deduplicator& deduplicator() const { return deduplicator_; }

    // Forgets everything pending and the window; the store holds `stored` (or nothing: `first`),
    // reading goes on at `from` ≥ stored. What lies between was expired from the log.
    void reset_to(Offset stored, Offset from, bool first);
    // What the store has recorded of the partition's dead letters: no records of events, whatever
    // the decoder says of them today. After reset_to().
    void recall(const OffsetRanges& dead_lettered) { dead_lettered_.add(dead_lettered.ranges()); }
    // Where the log begins now; older places are forgotten, here and by the next flush.
    void set_log_begin(Offset begin) {
        log_begin_ = begin;
        recorded_ = 0;
    }
    // So many places were recorded since set_log_begin() that it is worth to ask again.
    bool log_begin_is_old() const { return recorded_ >= recorded_before_trim; }
    // Back to knowing nothing.
    void forget() {
        reset_to(Offset{}, Offset{}, false);
        positioned_ = false;
    }
    // Remembers a record that is processed already; between reset_to() and the first process().
    void remember(const eventlog::FetchedRecord& record, Tools& tools);
    enum class Step : std::uint8_t { done, needs_history };
    // Records must come in order; those before next() are ignored (a consumer may repeat some).
    // needs_history: it is late (history.hpp) and nothing was done: begin_history(), then again.
    Step process(const eventlog::FetchedRecord& record, Tools& tools);
    // The same in two steps, so that the next record can be decoded, and its place among the ids
    // fetched from memory, before this one is processed.
    void decode(const eventlog::FetchedRecord& record, Decoded& into) const;
    Step process(const eventlog::FetchedRecord& record, const Decoded& decoded, Tools& tools);

    // No record stands before there any more: what does not is booked as expired.
    void pass_over(Offset to) {
        books_.expired += to.value - next_.value;
        next_ = to;
    }

    // For begin_history(): forgets what it has of a history and begins that which is needed.
    void begin_history();
    TimestampMs history_since() const { return needed_since_; }
    void remember_history(const eventlog::FetchedRecord& record, Tools& tools);
    void truncate_history() { history_->truncated = true; }
    bool history_truncated() const { return history_ && history_->truncated; }

    // The pending stretch; rolls up into this state's own Deltas, valid until process().
    Flush flush();
    void mark_flushed();
    // Those that are not durable yet; a repeated flush does not write the others again.
    std::span<const DeadLetter> unwritten_dead_letters() const {
        return std::span(dead_letters_).subspan(dead_letters_written_);
    }
    // The first so many of them are now.
    void mark_dead_letters_written(std::size_t count) { dead_letters_written_ += count; }

private:
    static constexpr std::size_t recorded_before_trim = 10'000;

    bool is_double(const Decoded& decoded, TimestampMs appended_at,
                   std::optional<TimestampMs> since);
    void reject(const eventlog::FetchedRecord& record, const domain::Rejection& rejection);

    Partition partition_;
    Aggregator aggregator_;
    Deduplicator deduplicator_;
    HashKey hash_key_;
    std::optional<History> history_;
    TimestampMs needed_since_;
    Deltas deltas_;
    Books books_;
    OffsetRanges dead_lettered_;          // flushed
    OffsetRanges pending_dead_lettered_;  // of the pending stretch
    Offset log_begin_;
    std::size_t recorded_ = 0;
    std::vector<DeadLetter> dead_letters_;
    std::size_t dead_letters_written_ = 0;
    Offset flushed_;
    Offset next_;
    bool first_ = false;
    bool positioned_ = false;
};

}  // namespace adtally::processor
