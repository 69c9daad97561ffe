// One event, an array of them, or lines of them; the objects themselves are read by object_reader.
#include "base/assert.hpp"
#include "domain/canonical_reader.hpp"
#include "domain/codec.hpp"
#include "domain/object_reader.hpp"

namespace adtally::domain {
namespace {

static_assert(decode_padding >= simdjson::SIMDJSON_PADDING);

constexpr std::size_t first_capacity = 16 * 1024;

Rejection not_an_object() {
    return reject_whole("wrong_type", "the event has the wrong type; allowed: a JSON object");
}

Rejection too_many(std::size_t max_events) {
    return reject_whole("too_long", "the batch has too many events; allowed: at most " +
                                        std::to_string(max_events));
}

// simdjson says where it stands only as an error.
bool at_end(ondemand::document& document) {
    return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

Mode client_mode(UnknownFields unknown) {
    switch (unknown) {
        case UnknownFields::reject:
            return Mode::client_rejecting;
        case UnknownFields::keep:
            return Mode::client_keeping;
    }
    return Mode::client_rejecting;
}

// Enough for the record to be counted: without an id it could be counted twice.
std::optional<Rejection> check_stored(const ObjectReader& reader, const Event& event) {
    for (Field field : {Field::type, Field::ad_id, Field::campaign_id, Field::schema}) {
        if (!reader.has(field))
            return reject(field, Verdict::missing_field);
    }
    if (event.event_id.empty())
        return reject(Field::event_id, Verdict::missing_field);
    if (event.timestamp.value == 0)
        return reject(Field::timestamp, Verdict::missing_field);
    if (event.received_at.value == 0)
        return reject(Field::received_at, Verdict::missing_field);
    return std::nullopt;
}

}  // namespace

struct Decoder::Impl {
    ondemand::parser parser;
    std::string copy;  // of an input without room behind it
    Event event;       // of a batch
    CanonicalReader canonical;

    // The same bytes with decode_padding readable bytes behind them.
    std::string_view padded(std::string_view json, std::size_t padding) {
        if (padding >= decode_padding)
            return json;
        copy.clear();
        copy.reserve(json.size() + decode_padding);
        copy.append(json).append(decode_padding, ' ');
        return {copy.data(), json.size()};
    }

    std::optional<Rejection> decode_object(std::string_view json, Mode mode, TimestampMs now,
                                           Event& into);
    std::optional<Rejection> decode_array(std::string_view json, Mode mode, TimestampMs now,
                                          std::size_t max_events, const Each& each);
    std::optional<Rejection> decode_lines(std::string_view body, Mode mode, TimestampMs now,
                                          std::size_t max_events, const Each& each);
};

std::optional<Rejection> Decoder::Impl::decode_object(std::string_view json, Mode mode,
                                                      TimestampMs now, Event& into) {
    into.clear();
    ondemand::document document;
    ondemand::object object;
    if (auto error =
            parser.iterate(json.data(), json.size(), json.size() + decode_padding).get(document))
        return malformed(error);
    if (auto error = document.get_object().get(object)) {
        ondemand::json_type type;
        bool is_other_value =
            error == simdjson::INCORRECT_TYPE && document.type().get(type) == simdjson::SUCCESS;
        return is_other_value ? not_an_object() : malformed(error);
    }
    ObjectReader reader{into, mode};
    if (auto rejection = reader.read(object))
        return rejection;
    if (!at_end(document))
        return malformed(simdjson::TRAILING_CONTENT);
    return mode == Mode::stored ? check_stored(reader, into)
                                : check_complete(into, reader.has(Field::type), now);
}

std::optional<Rejection> Decoder::Impl::decode_array(std::string_view json, Mode mode,
                                                     TimestampMs now, std::size_t max_events,
                                                     const Each& each) {
    ondemand::document document;
    ondemand::array array;
    if (auto error =
            parser.iterate(json.data(), json.size(), json.size() + decode_padding).get(document))
        return malformed(error);
    if (auto error = document.get_array().get(array))
        return malformed(error);
    std::size_t index = 0;
    for (auto value_or_error : array) {
        if (auto error = value_or_error.error())
            return malformed(error);
        ondemand::value&& value = std::move(value_or_error).value_unsafe();
        Kind kind = kind_of(value.raw_json_token().front());
        if (kind == Kind::none)
            return malformed(simdjson::TAPE_ERROR);
        if (index == max_events)
            return too_many(max_events);
        event.clear();
        std::optional<Rejection> rejection;
        if (kind == Kind::object) {
            ObjectReader reader{event, mode};
            ondemand::object object;
            if (auto error = value.get_object().get(object))
                return malformed(error);
            rejection = reader.read(object);
            if (reader.broken())
                return rejection;
            if (!rejection)
                rejection = check_complete(event, reader.has(Field::type), now);
        } else {
            // Consumed, for the reason that object_reader.hpp gives.
            if (kind == Kind::text && value.get_raw_json_string().error() != simdjson::SUCCESS)
                return malformed(simdjson::TAPE_ERROR);
            rejection = not_an_object();
        }
        each(index++, event, rejection);
    }
    if (!at_end(document))
        return malformed(simdjson::TRAILING_CONTENT);
    return std::nullopt;
}

std::optional<Rejection> Decoder::Impl::decode_lines(std::string_view body, Mode mode,
                                                     TimestampMs now, std::size_t max_events,
                                                     const Each& each) {
    std::size_t index = 0;
    while (!body.empty()) {
        std::size_t newline = body.find('\n');
        std::string_view line = trimmed(body.substr(0, newline));
        body.remove_prefix(newline == std::string_view::npos ? body.size() : newline + 1);
        if (line.empty())
            continue;
        if (index == max_events)
            return too_many(max_events);
        std::optional<Rejection> rejection = decode_object(line, mode, now, event);
        each(index++, event, rejection);
    }
    return std::nullopt;
}

Decoder::Decoder() : impl_(std::make_unique<Impl>()) {
    auto error = impl_->parser.allocate(first_capacity);
    ADTALLY_ASSERT(error == simdjson::SUCCESS);
}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

std::optional<Rejection> Decoder::decode_client(std::string_view json, std::size_t padding,
                                                UnknownFields unknown, TimestampMs now,
                                                Event& into) {
    return impl_->decode_object(impl_->padded(json, padding), client_mode(unknown), now, into);
}

std::optional<Rejection> Decoder::decode_stored(std::string_view json, std::size_t padding,
                                                Event& into) {
    const std::string_view roomy = impl_->padded(json, padding);
    if (impl_->canonical.read(roomy, into))
        return std::nullopt;
    return impl_->decode_object(roomy, Mode::stored, TimestampMs{}, into);
}

std::optional<Rejection> Decoder::decode_batch(std::string_view body, std::size_t padding,
                                               UnknownFields unknown, TimestampMs now,
                                               std::size_t max_events, const Each& each) {
    std::string_view content = trimmed(impl_->padded(body, padding));
    if (content.empty())
        return malformed(simdjson::EMPTY);
    Mode mode = client_mode(unknown);
    return content.front() == '[' ? impl_->decode_array(content, mode, now, max_events, each)
                                  : impl_->decode_lines(content, mode, now, max_events, each);
}

}  // namespace adtally::domain
