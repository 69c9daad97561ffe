// Where is my event: finds an event's records in the log and says what became of each.
//
// Problem. "I sent it, where is it?" is answered by the log itself: an event's records, in order,
// and the rules that the processor follows. The verdicts are computed again by the processor's own
// decoder and deduplicator; what was dead-lettered when it was processed is asked of the store,
// because a newer decoder may take what the one of then did not.
// Design. The log is searched for the id in quotes and only what has it is decoded; what cannot be
// decoded is this event's when the id stands there as its event_id. An id that is a UUIDv7 tells
// when it was made: the search begins ten minutes before that. One from a time on begins a window
// before it, and where a late record (history.hpp) looks back further, there.
// Limits. Retention bounds what can be found; a search ends at its deadline or with 1,000 records,
// and says so. To narrow it: the ad (one partition), a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/offset_ranges.hpp"
#include "pipeline/processor/operations/dead_letter.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::operations {

struct TraceQuery {
    std::string event_id;
    std::optional<std::int64_t> ad = {};   // nothing: every partition
    std::optional<TimestampMs> from = {};  // of when it was appended
    std::optional<TimestampMs> to = {};
};

enum class Fate : std::uint8_t { counted, duplicate, dead_lettered, in_flight };

struct TracedRecord {
    Position position;
    TimestampMs appended_at;
    Fate fate = Fate::in_flight;
    std::string type;  // empty when it could not be decoded
    std::int64_t ad = 0;
    std::int64_t campaign = 0;
    TimestampMs received_at;  // by a collector
    TimestampMs event_time;
    bool late = false;              // its hour was over when it was appended
    std::string collector;          // that accepted it; empty when the log does not say
    std::string traceparent;        // likewise
    std::string redriven_from;      // a dead letter's place; empty: it was not one
    std::string reason;             // dead_lettered: why
    std::vector<std::string> keys;  // in Redis; only of a counted one
};

struct Trace {
    std::vector<TracedRecord> records;         // in the order of their append
    std::int64_t searched = 0;                 // records
    std::optional<TimestampMs> searched_from;  // nothing: from the beginning
    bool complete = true;                      // false: the deadline or the limit came first
    bool retained = true;  // false: retention has removed records that may have been it
};

class EventTracer {
public:
    // What the store says; asked when the search is over, in this order.
    struct Counted {
        // The next offset of each partition; nothing where none is stored.
        std::function<Result<std::vector<std::optional<Offset>>>()> to;
        // Which of those before it went to the dead letters.
        std::function<Result<processor::OffsetRanges>(Partition)> dead_lettered;
    };

    EventTracer(eventlog::EventLog& log, std::string topic, Milliseconds dedup_window,
                domain::ReportingZone zone);

    Result<Trace> find(const TraceQuery& query, const Counted& counted, Deadline deadline);

private:
    class Search;

    Status judge(Trace& trace, const Counted& counted) const;

    eventlog::EventLog& log_;
    std::string topic_;
    Milliseconds dedup_window_;
    domain::ReportingZone zone_;
};

// Whether the bytes say that they are of this event: "event_id" and the id in quotes, whatever else
// is wrong with them.
bool names_event(std::string_view bytes, std::string_view event_id);

// The time in a UUID of version 7 (RFC 9562); nothing when it is not one.
std::optional<TimestampMs> uuid_v7_time(std::string_view text);

std::string to_json(const TraceQuery& query, const Trace& trace);

}  // namespace adtally::operations
