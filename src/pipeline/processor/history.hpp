// How far back a record may have a double.
//
// Problem. A collector keeps what Kafka does not take in its spool and passes it on later. An
// append that Kafka had taken although it did not answer is passed on all the same: the record then
// stands in the log twice, as far apart as the outage was long, which may be longer than the
// window of deduplication.
// Design. A record says when it was received. Was it appended so much later that the window does
// not reach back to that time, it is *late*, and its double may stand anywhere since then: the
// rule for it is not "at most a window before" but "since it was received, less what clocks may
// differ by". That is a function of the log alone, as the rule for the others is (ADR 0003), so
// every processor, a rebuild and a trace come to the same verdicts. For late records the log is
// read again from that time on, once, and remembered until a window has passed without any.
// Limits. Seven days, which is also what a log keeps by default; five million records a partition
// (about 200 MB), past which late records are judged by the window alone, as if there were no
// spool. Threads. Values.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::processor {

inline constexpr Milliseconds history_reach{7LL * 24 * 3600 * 1000};
inline constexpr std::size_t history_entries = 5'000'000;

// By how much the clocks of collectors and brokers may differ.
constexpr Milliseconds clock_slack(Milliseconds window) {
    constexpr Milliseconds most{5 * 60 * 1000};
    return std::min(most, Milliseconds{window / 2});
}

// Since when a double counts, of a record that is late; nothing when it is not.
inline std::optional<TimestampMs> late_since(TimestampMs received_at, TimestampMs appended_at,
                                             Milliseconds window) {
    const Milliseconds slack = clock_slack(window);
    if (appended_at.value - received_at.value <= (window - slack).count())
        return std::nullopt;
    return TimestampMs{received_at.value - slack.count()};
}

// What stands in the log since a time.
struct History {
    History(TimestampMs from, const HashKey& key) : since(from), memory(history_reach, key) {}

    void insert(domain::EventType type, std::string_view event_id, TimestampMs at) {
        if (memory.size() < history_entries)
            memory.insert(type, event_id, at);
        else
            truncated = true;
    }
    TimestampMs since;
    Deduplicator memory;
    TimestampMs last_late{};
    bool truncated = false;
};

class PartitionState;
struct Tools;

// Gives a state the history that it needs, by reading the log up to its next record. `stopping`
// ends it early, as `unavailable`.
Status restore_history(PartitionState& state, eventlog::Reader& reader, Tools& tools,
                       const std::function<bool()>& stopping);

}  // namespace adtally::processor
