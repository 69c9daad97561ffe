// The fields of an event: their names, and the one rule of each.
//
// JSON members, pixel and postback parameters, and stored records all end here, so that a value is
// allowed in one of them exactly when it is allowed in the others. The rules answer with a Verdict,
// which is a byte; the words are found only when an event is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/event.hpp"
#include "domain/validation.hpp"

namespace adtally::domain {

enum class Field : std::uint8_t {
    event_id,
    type,
    ad_id,
    campaign_id,
    publisher_id,
    slot_id,
    session_id,
    user_id,
    timestamp,
    cost_micros,
    value_micros,
    currency,
    page_url,
    user_agent,
    ip,
    attributes,
    received_at,
    schema,
    unknown,
};

enum class Verdict : std::uint8_t {
    ok,
    malformed_json,
    wrong_type,
    out_of_range,
    too_long,
    invalid_value,
    missing_field,
    duplicate_field,
};

Field find_field(std::string_view name);
std::string_view name_of(Field field);

// `text` must be printable UTF-8 and outlive the event. Empty: no value, where the field allows it.
Verdict set_text(Event& event, Field field, std::string_view text);
Verdict set_integer(Event& event, Field field, std::int64_t integer);
// Both printable; value may be empty.
Verdict add_attribute(Event& event, std::string_view name, std::string_view value);

// An active code of ISO 4217.
bool is_currency(std::string_view code);

Rejection reject(Field field, Verdict verdict);
// For an entry of `attributes`.
Rejection reject_attribute(std::string_view name, Verdict verdict);
Rejection reject_unknown(std::string_view name);
Rejection reject_whole(std::string_view code, std::string message);

}  // namespace adtally::domain
