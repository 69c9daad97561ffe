// The rules of an event's fields, one function for each, shared by JSON, pixel and postback.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/event.hpp"

namespace adtally::domain {

// Why an event is refused. `code` is stable and machine-read; `field` the JSON member.
struct Rejection {
    std::string_view code;  // "malformed_json", "missing_field", "wrong_type", "out_of_range",
                            // "too_long", "invalid_value", "unknown_field", "duplicate_field",
                            // "future_timestamp"
    std::string field;      // empty when the whole is malformed
    std::string message;    // for people; ends with what is allowed
};

// True when every byte is printable: no control characters (C0, DEL), valid UTF-8.
bool is_printable_utf8(std::string_view text);

// RFC 3339 with offset ("2024-01-15T14:03:22.123Z", "…+02:00", lower-case t and z, any number of
// fraction digits; :60 counts as :59) to epoch milliseconds; nothing when it is not one.
std::optional<TimestampMs> parse_rfc3339(std::string_view text);
// A number in text: decimal digits only, no sign, no leading zeros but "0" itself.
std::optional<std::int64_t> parse_decimal(std::string_view text);

// Sets a field from text as query parameters carry it ("ad_id" = "17"); attributes come as
// "attributes.NAME" (or "attr.NAME"). Nothing on success. `name` and `text` must outlive the event.
// A field given twice takes the last value; an attribute given twice is refused.
std::optional<Rejection> set_field(Event& event, std::string_view name, std::string_view text);

// The rules that concern the whole: required fields, the clock. `seen` is what codec.hpp and
// set_field track: ad_id and campaign_id are absent while 0, the type through `has_type`.
std::optional<Rejection> check_complete(const Event& event, bool has_type, TimestampMs now);

}  // namespace adtally::domain
