// Valid events on their way into the log: completed with what only the collector knows, encoded.
//
// The embedded log's records are canonical JSON and nothing else, so no content-type header is
// added here: it would be the same bytes on every record. Where records leave for Kafka, the
// producer adds it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "domain/validation.hpp"
#include "pipeline/collector/event_counts.hpp"
#include "pipeline/collector/lanes.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/http/message.hpp"

namespace adtally::collector {

struct Submission {
    eventlog::RecordBatch records;
    EventCounts counts;
    TimestampMs received_at;
    std::string event_id;  // of the last event; of the only one where there is one
};

// A batch request: what was valid, and the answer's two lists as JSON, growing.
struct BatchSubmission {
    Submission submission;
    std::string event_ids;                          // "a","b"
    std::string rejected;                           // {…},{…}
    std::vector<std::string_view> rejection_codes;  // of those, for the books
    bool too_many = false;
};

// What the request itself says of an event that does not.
struct RequestDefaults {
    std::string_view user_agent;
    std::string_view ip;
};
// A header that is too long or not printable is no fault of the event: it is cut and cleaned, into
// `scratch`, which the views may refer to.
RequestDefaults defaults_of(const http::Request& request, std::string& scratch);

class Encoder {
public:
    explicit Encoder(std::size_t max_record_bytes);

    // Completes lane.event (event_id, times, defaults) and appends it to the submission's records,
    // keyed by its ad. Refused when it would be larger than the log takes; nothing is added then.
    std::optional<domain::Rejection> add(Lane& lane, const RequestDefaults& defaults,
                                         TimestampMs now, Submission& into) const;

private:
    const std::size_t max_record_bytes_;
    const bool must_measure_;
};

}  // namespace adtally::collector
