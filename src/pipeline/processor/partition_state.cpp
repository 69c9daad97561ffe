#include "pipeline/processor/partition_state.hpp"

#include <utility>

#include "base/assert.hpp"

namespace adtally::processor {

PartitionState::PartitionState(Partition partition, Aggregator aggregator,
                               Deduplicator deduplicator)
    : partition_(partition),
      aggregator_(std::move(aggregator)),
      deduplicator_(std::move(deduplicator)) {}

void PartitionState::reset_to(Offset stored, Offset from, bool first) {
    ADTALLY_ASSERT(stored <= from);
    aggregator_.clear();
    deduplicator_.clear();
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
    if (tools.decoder.decode_stored(record.value, eventlog::value_padding, tools.event))
        return;  // a dead letter: it has no identity to remember
    deduplicator_.insert(tools.event.type, tools.event.event_id, record.appended_at);
}

void PartitionState::process(const eventlog::FetchedRecord& record, Tools& tools) {
    ADTALLY_ASSERT(positioned_);
    if (record.offset < next_)
        return;
    books_.expired += record.offset.value - next_.value;
    next_ = Offset{record.offset.value + 1};

    auto rejection =
        tools.decoder.decode_stored(record.value, eventlog::value_padding, tools.event);
    if (rejection) {
        reject(record, *rejection);
        return;
    }
    if (!deduplicator_.insert(tools.event.type, tools.event.event_id, record.appended_at)) {
        books_.duplicates += 1;
        return;
    }
    aggregator_.add(tools.event, tools.catalogue.cost_of(tools.event));
    books_.counted += 1;
}

void PartitionState::reject(const eventlog::FetchedRecord& record,
                            const domain::Rejection& rejection) {
    books_.dead_lettered += 1;
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
    return {partition_, flushed_, next_, first_, books_, &deltas_};
}

void PartitionState::mark_flushed() {
    flushed_ = next_;
    first_ = false;
    books_ = Books{};
    aggregator_.clear();
    dead_letters_.clear();
    dead_letters_written_ = 0;
}

}  // namespace adtally::processor
