// Events from JSON and to canonical JSON.
//
// Decoding is simdjson's on-demand parser: one pass, no tree, no allocation per event. Two modes:
// `client` for what arrives from outside (every rule checked, unknown fields refused by name or
// kept as asked), `stored` for what the log holds (schema and received_at allowed, unknown fields
// skipped: a newer writer may add some).
//
// Encoding is hand-written into one growing buffer, members in the order of
// schema/stored-event.schema.json, absent left out, then received_at and schema: equal events give
// equal bytes. Times are written as RFC 3339 UTC with milliseconds.
//
// Memory: a decoder keeps room for the largest input it has seen (about seven times its bytes) and
// allocates nothing else once it has it; words are only made for a Rejection.
//
// Threads: a Decoder belongs to one thread. Views in the event live until the next decode and no
// longer than the input.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/event.hpp"
#include "domain/validation.hpp"

namespace adtally::domain {

// Readable bytes needed after the input's end, see Decoder::decode.
inline constexpr std::size_t decode_padding = 64;

enum class UnknownFields : std::uint8_t {
    reject,
    keep,  // scalars become attributes under their own name; others are refused
};

class Decoder {
public:
    Decoder();
    ~Decoder();
    Decoder(Decoder&&) noexcept;

    // One JSON object. `padding` says how many bytes after json.end() may be read (their value does
    // not matter); below decode_padding the input is copied. Duplicate members are refused.
    // Integers may be JSON integers or decimal strings; never floats. `null` is absent where the
    // field is optional, "" too for session_id, user_id, page_url, user_agent and ip.
    std::optional<Rejection> decode_client(std::string_view json, std::size_t padding,
                                           UnknownFields unknown, TimestampMs now, Event& into);
    // What the canonical encoder wrote: event_id, timestamp, received_at and schema 1 must be
    // there. A Rejection here is a poison record.
    std::optional<Rejection> decode_stored(std::string_view json, std::size_t padding, Event& into);

    // A JSON array of events, or NDJSON when the first byte that is not white space is not '['.
    // Calls `each` for every element in order with the decoded event or the reason against it;
    // views live until the next call. Stops and returns a Rejection when the whole is malformed (a
    // broken array: what came before has been delivered all the same, `each` saw it) or when there
    // are more than `max_events` (checked before anything is delivered is not promised).
    // NDJSON lines fail one by one; blank lines are skipped and not counted. A refused element of
    // an array is skipped by its brackets and the rest delivered. An empty array is no error, an
    // empty body is "malformed_json", too many events are "too_long".
    using Each =
        std::function<void(std::size_t index, const Event&, const std::optional<Rejection>&)>;
    std::optional<Rejection> decode_batch(std::string_view body, std::size_t padding,
                                          UnknownFields unknown, TimestampMs now,
                                          std::size_t max_events, const Each& each);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Appends to `out`. The event must be valid and complete (event_id, timestamp, received_at set).
void append_canonical(const Event& event, std::string& out);

// Appends `text` as a JSON string with its quotes. The text must be valid UTF-8.
void append_json_string(std::string_view text, std::string& out);

// "2024-01-15T14:03:22.123Z"
void append_rfc3339(TimestampMs time, std::string& out);

}  // namespace adtally::domain
