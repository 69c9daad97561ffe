// For the tests of this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/codec.hpp"

namespace adtally::domain::testing {

// 2024-01-15T14:03:30Z: eight seconds after the example event.
inline constexpr TimestampMs now{1'705'327'410'000};

// An event with every member, as a client sends it.
inline constexpr std::string_view example =
    R"({"event_id":"0190b6f3-7c1e-7a5b-9c0d-2f4e8a1b3c5d","type":"impression","ad_id":1,
 "campaign_id":1,"publisher_id":12,"slot_id":345,"session_id":"s-8f14e45f","user_id":"u-77",
 "timestamp":"2024-01-15T14:03:22.123Z","cost_micros":2500,"value_micros":0,"currency":"USD",
 "page_url":"https://example.org/a","user_agent":"Mozilla/5.0","ip":"203.0.113.7",
 "attributes":{"k":"v"}})";

// The least that is an event, with `more` members behind.
inline std::string event_with(std::string_view more) {
    std::string json = R"({"type":"click","ad_id":7,"campaign_id":3)";
    json += more;
    json += '}';
    return json;
}

inline std::string canonical(const Event& event) {
    std::string text;
    append_canonical(event, text);
    return text;
}

// A decoder and the event it decodes into.
struct Decoding {
    std::string input;
    Decoder decoder;
    Event event;

    std::optional<Rejection> client(std::string_view json,
                                    UnknownFields unknown = UnknownFields::reject) {
        input = json;
        return decoder.decode_client(input, 0, unknown, now, event);
    }
    std::optional<Rejection> stored(std::string_view json) {
        input = json;
        return decoder.decode_stored(input, 0, event);
    }
};

// "code field", or "accepted".
inline std::string outcome(const std::optional<Rejection>& rejection) {
    if (!rejection)
        return "accepted";
    std::string text{rejection->code};
    if (!rejection->field.empty())
        text += " " + rejection->field;
    return text;
}

inline std::string client_outcome(std::string_view json,
                                  UnknownFields unknown = UnknownFields::reject) {
    return outcome(Decoding{}.client(json, unknown));
}

inline std::string stored_outcome(std::string_view json) {
    return outcome(Decoding{}.stored(json));
}

}  // namespace adtally::domain::testing
