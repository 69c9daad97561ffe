#include "pipeline/processor/partition_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.hpp"

namespace adtally::processor {

PartitionState::PartitionState(Partition partition, Aggregator aggregator,
                               Deduplicator deduplicator)
    : partition_(partition),
      aggregator_(std::move(aggregator)),
      deduplicator_(std::move(deduplicator)),
      hash_key_(random_hash_key()) {}

void PartitionState::reset_to(Offset stored, Offset from, bool first) {
    ADTALLY_ASSERT(stored <= from);
    aggregator_.clear();
    deduplicator_.clear();
    history_.reset();
    dead_lettered_.clear();
    pending_dead_lettered_.clear();
    log_begin_ = Offset{};
    recorded_ = 0;
    dead_letters_.clear();
    dead_letters_written_ = 0;
    books_ = Books{};
    books_.expired = from.value - stored.value;
    flushed_ = stored;
    next_ = from;
    first_ = first;
    positioned_ = true;
}

void PartitionState::remember(const eventlog::FetchedRecord& record, Tools& tools) {
    if (dead_lettered_.contains(record.offset) ||
        tools.decoder.decode_stored(record.value, eventlog::value_padding, tools.event))
        return;  // a dead letter: it has no identity to remember
    deduplicator_.insert(tools.event.type, tools.event.event_id, record.appended_at);
}

PartitionState::Step PartitionState::process(const eventlog::FetchedRecord& record, Tools& tools) {
    decode(record, tools.decoded[0]);
    return process(record, tools.decoded[0], tools);
}

void PartitionState::decode(const eventlog::FetchedRecord& record, Decoded& into) const {
    into.rejection = into.decoder.decode_stored(record.value, eventlog::value_padding, into.event);
    if (into.rejection)
        return;
    into.key = deduplicator_.key_of(into.event.type, into.event.event_id);
    deduplicator_.prefetch(into.key);
}

PartitionState::Step PartitionState::process(const eventlog::FetchedRecord& record,
                                             const Decoded& decoded, Tools& tools) {
    ADTALLY_ASSERT(positioned_);
    const domain::Event& event = decoded.event;
    const auto& rejection = decoded.rejection;
    if (record.offset < next_)
        return Step::done;
    if (dead_lettered_.contains(record.offset)) {
        // Counted before, by others: this is a recount. Its letter was written then.
        books_.expired += record.offset.value - next_.value;
        books_.dead_lettered += 1;
        next_ = Offset{record.offset.value + 1};
        return Step::done;
    }
    std::optional<TimestampMs> since;
    if (!rejection) {
        since = late_since(event.received_at, record.appended_at, deduplicator_.window());
        if (since && (!history_ || *since < history_->since)) {
            needed_since_ = TimestampMs{since->value - history_margin.count()};
            return Step::needs_history;
        }
    }
    books_.expired += record.offset.value - next_.value;
    next_ = Offset{record.offset.value + 1};
    if (rejection) {
        reject(record, *rejection);
    } else if (is_double(decoded, record.appended_at, since)) {
        books_.duplicates += 1;
    } else {
        aggregator_.add(event, tools.catalogue.cost_of(event));
        books_.counted += 1;
    }
    return Step::done;
}

// Remembers it either way.
bool PartitionState::is_double(const Decoded& decoded, TimestampMs appended_at,
                               std::optional<TimestampMs> since) {
    const domain::Event& event = decoded.event;
    bool found = !deduplicator_.insert(decoded.key, appended_at);
    if (!history_)
        return found;
    if (since) {
        const auto seen = history_->memory.seen_at(event.type, event.event_id, appended_at);
        found = found || (seen && *seen >= *since);
        history_->last_late = appended_at;
    }
    history_->insert(event.type, event.event_id, appended_at);
    if (history_->full() ||
        appended_at.value - history_->last_late.value > deduplicator_.window().count())
        history_.reset();
    return found;
}

void PartitionState::begin_history() {
    history_.emplace(needed_since_, hash_key_);
    // Until the late record that needs it comes.
    history_->last_late = TimestampMs{std::numeric_limits<std::int64_t>::max() / 2};
}

void PartitionState::remember_history(const eventlog::FetchedRecord& record, Tools& tools) {
    if (!dead_lettered_.contains(record.offset) &&
        !pending_dead_lettered_.contains(record.offset) &&
        !tools.decoder.decode_stored(record.value, eventlog::value_padding, tools.event))
        history_->insert(tools.event.type, tools.event.event_id, record.appended_at);
}

void PartitionState::reject(const eventlog::FetchedRecord& record,
                            const domain::Rejection& rejection) {
    books_.dead_lettered += 1;
    pending_dead_lettered_.add(record.offset);
    std::string message = rejection.message;
    if (!rejection.field.empty())
        message = rejection.field + ": " + message;
    dead_letters_.push_back({record.offset, record.appended_at, std::string(record.key),
                             std::string(record.value), std::string(rejection.code),
                             std::move(message)});
}

Flush PartitionState::flush() {
    ADTALLY_ASSERT(pending());
    ADTALLY_ASSERT(books_.total() == next_.value - flushed_.value);
    aggregator_.roll_up(deltas_);
    const auto places = pending_dead_lettered_.ranges();
    deltas_.dead_letters.assign(places.begin(), places.end());
    return {partition_, flushed_, next_, first_, books_, &deltas_, log_begin_};
}

void PartitionState::mark_flushed() {
    flushed_ = next_;
    first_ = false;
    books_ = Books{};
    recorded_ += pending_dead_lettered_.size();
    dead_lettered_.add(pending_dead_lettered_.ranges());
    dead_lettered_.trim_below(log_begin_);
    pending_dead_lettered_.clear();
    aggregator_.clear();
    dead_letters_.clear();
    dead_letters_written_ = 0;
}

}  // namespace adtally::processor
