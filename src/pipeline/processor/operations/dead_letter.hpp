// A dead letter as ad-events-dlt holds it: what could not be counted, why, and where it stood.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/strong.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::operations {

// A place in a topic, in the form that people are shown: "3-17", partition and offset.
struct Position {
    Partition partition;
    Offset offset;
    friend auto operator<=>(const Position&, const Position&) = default;
};
std::string to_string(Position position);
std::optional<Position> parse_position(std::string_view text);

struct Letter {
    Position position;  // in the dead letter topic
    TimestampMs written_at;
    // Where the record stood; "" and 0 for a letter that somebody else wrote without saying so.
    std::string origin_topic;
    Position origin;
    TimestampMs origin_at;
    std::string reason;   // machine-read: "malformed_json", "missing_field", …
    std::string message;  // for people
    std::string key;
    std::string value;
    // Of one that was cut, because its record was above the log's limit: what the record had.
    std::optional<std::int64_t> original_value_bytes;
    std::optional<std::int64_t> original_key_bytes;

    bool cut() const { return original_value_bytes.has_value(); }
    // The same for every copy of a letter: one may be written twice when a processor dies.
    std::string origin_id() const;
};

Letter letter_of(Partition partition, const eventlog::FetchedRecord& record,
                 std::span<const eventlog::Header> headers);

// One object. The record's text stands in `value`; where it is no UTF-8, in `value_base64`.
std::string to_json(const Letter& letter);

}  // namespace adtally::operations
