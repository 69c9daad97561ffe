// How far back a record may have a double.
//
// Problem. A collector keeps what Kafka does not take in its spool and passes it on later. An
// append that Kafka had taken although it did not answer is passed on all the same: the record then
// stands in the log twice, as far apart as the outage was long, which may be longer than the
// window of deduplication.
// Design. A record says when it was received. One that was appended more than a minute later is
// *late*: the window is counted back from its receipt, where its double may stand, or the first
// copy of what its client repeated. That is a function of the log alone, as the rule for the
// others is (ADR 0003), so every processor, a rebuild and a trace come to the same verdicts. For
// late records the log is read again from that time on and remembered, with what follows, until a
// window has passed without any.
// Limits. A day: what is older was in no spool (a letter that was redriven, another writer's) and
// is judged by the window alone. Of the records that stand before a late one the last million of
// its partition are read, 20 to 40 MB: of more, those that come first are not known. When two
// million are remembered all are forgotten, and the next late record has the last million read
// anew: one is read for each that is appended. So a double is known for certain where no more than
// a million records stand between the two, whoever was restarted when.
//
// Threads. Values.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::processor {

inline constexpr Milliseconds history_reach{24LL * 3600 * 1000};
inline constexpr std::int64_t history_read_records = 1'000'000;
inline constexpr std::int64_t history_records = 2'000'000;
// Read at once, so that the next late record, received a little earlier, finds its own time there.
inline constexpr Milliseconds history_margin{5 * 60 * 1000};
inline constexpr Milliseconds longest_window{24LL * 3600 * 1000};  // that may be set

// Since when a double counts, of a record that is late; nothing when it is not.
inline std::optional<TimestampMs> late_since(TimestampMs received_at, TimestampMs appended_at,
                                             Milliseconds window) {
    const std::int64_t waited = appended_at.value - received_at.value;
    if (waited <= on_its_way(window).count() || waited > history_reach.count())
        return std::nullopt;
    return TimestampMs{received_at.value - window.count()};
}

// What stands in the log since a time.
struct History {
    History(TimestampMs from, const HashKey& key)
        : since(from), memory(history_reach + 2 * history_margin + longest_window, key) {}

    void insert(domain::EventType type, std::string_view event_id, TimestampMs at) {
        memory.insert(type, event_id, at);
    }
    bool full() const { return memory.size() >= static_cast<std::size_t>(history_records); }
    TimestampMs since;
    Deduplicator memory;
    TimestampMs last_late{};
    bool truncated = false;
};

class PartitionState;
struct Tools;

// Begins the history that a state needs: where in the log it is to be read from, up to the state's
// next record.
Result<Offset> begin_history(PartitionState& state, eventlog::Reader& reader);

// Begins it and reads all of it. `stopping` ends it early, as `unavailable`.
Status restore_history(PartitionState& state, eventlog::Reader& reader, Tools& tools,
                       const std::function<bool()>& stopping);

}  // namespace adtally::processor
