// Reads one JSON object from simdjson's on-demand parser into an event. Internal to the decoder:
// this header alone brings simdjson along.
//
// On-demand hands out values in the order of the input and checks only what is asked for. What it
// leaves to its user is done here:
//
// - Every value's first byte is looked at before the value is touched: `{"a":}` and `[{},]` would
//   otherwise pass as values of a wrong type.
// - A text without quote, backslash or control character is viewed where it stands; only others are
//   unescaped (each once: the parser's buffer has room for that), and then checked again, since an
//   escape can spell a NUL or half of a surrogate pair.
// - Every text is consumed where it is read. One that is left for simdjson to skip would be taken
//   for a member's name when a colon follows (`"a":"b":1`), and brackets behind it would be lost.
//
// Two kinds of refusal: of a value (an array goes on behind the element) and of the structure
// (`broken()`: the parser is lost, nothing behind can be trusted). The rest of a refused element is
// skipped by counting brackets, so nesting needs no stack.
#pragma once

#include <simdjson.h>
#include <optional>
#include <string_view>

#include "domain/event_fields.hpp"

namespace adtally::domain {

namespace ondemand = simdjson::ondemand;

enum class Mode : std::uint8_t { client_rejecting, client_keeping, stored };

enum class Kind : std::uint8_t { text, number, literal, object, array, none };

Kind kind_of(char first);

Rejection malformed(simdjson::error_code error);

// Without JSON's white space at both ends.
std::string_view trimmed(std::string_view text);

struct Text {
    std::string_view view;
    Verdict verdict;
};

// Reads one object into an event; used for one object.
class ObjectReader {
public:
    ObjectReader(Event& event, Mode mode) : event_(event), mode_(mode) {}

    std::optional<Rejection> read(ondemand::object& object);

    // The JSON itself is broken: nothing behind this object can be read.
    bool broken() const { return broken_; }
    bool has(Field field) const { return (seen_ & bit(field)) != 0; }

private:
    static constexpr std::uint32_t bit(Field field) {
        return std::uint32_t{1} << static_cast<unsigned>(field);
    }
    Rejection broken_by(simdjson::error_code error) {
        broken_ = true;
        return malformed(error);
    }

    std::optional<Rejection> read_member(ondemand::field& member);
    Verdict read_scalar(Field field, Kind kind, ondemand::value& value);
    std::optional<Rejection> read_attributes(ondemand::value& value);
    std::optional<Rejection> read_attribute(ondemand::field& member);
    std::optional<Rejection> keep_unknown(std::string_view name, Kind kind, ondemand::value& value);

    Event& event_;
    Mode mode_;
    std::uint32_t seen_ = 0;
    bool broken_ = false;
};

}  // namespace adtally::domain
