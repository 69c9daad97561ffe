#include "pipeline/processor/operations/dead_letter.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include "domain/codec.hpp"
#include "domain/validation.hpp"
#include "pipeline/processor/dead_letters.hpp"
#include "platform/observability/utf8.hpp"

namespace adtally::operations {
namespace {

std::string_view value_of(std::span<const eventlog::Header> headers, std::string_view name) {
    for (const eventlog::Header& header : headers)
        if (header.name == name)
            return header.value;
    return {};
}

std::int64_t number_of(std::span<const eventlog::Header> headers, std::string_view name) {
    return domain::parse_decimal(value_of(headers, name)).value_or(0);
}

std::string base64(std::string_view bytes) {
    constexpr int variant = sodium_base64_VARIANT_ORIGINAL;
    std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
    sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), variant);
    text.pop_back();  // its terminating zero
    return text;
}

void add_text(std::string& json, std::string_view name, std::string_view value) {
    json += fmt::format(R"("{}":)", name);
    domain::append_json_string(observability::valid_utf8(value), json);
    json += ',';
}

void add_time(std::string& json, std::string_view name, TimestampMs time) {
    std::string text;
    domain::append_rfc3339(time, text);
    add_text(json, name, text);
}

}  // namespace

std::string to_string(Position position) {
    return fmt::format("{}-{}", position.partition.value, position.offset.value);
}

std::optional<Position> parse_position(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos)
        return std::nullopt;
    const auto partition = domain::parse_decimal(text.substr(0, dash));
    const auto offset = domain::parse_decimal(text.substr(dash + 1));
    constexpr std::int64_t most_partitions = 1'000'000;
    if (!partition || !offset || *partition > most_partitions)
        return std::nullopt;
    return Position{Partition{static_cast<std::int32_t>(*partition)}, Offset{*offset}};
}

std::string Letter::origin_id() const {
    return origin_topic.empty()
               ? fmt::format("dlt:{}", to_string(position))
               : fmt::format("{}:{}:{}", origin_topic, to_string(origin), origin_at.value);
}

Letter letter_of(Partition partition, const eventlog::FetchedRecord& record,
                 std::span<const eventlog::Header> headers) {
    namespace names = processor::dead_letter_headers;
    Letter letter;
    letter.position = {partition, record.offset};
    letter.written_at = record.appended_at;
    letter.origin_topic = value_of(headers, names::topic);
    letter.origin = {Partition{static_cast<std::int32_t>(number_of(headers, names::partition))},
                     Offset{number_of(headers, names::offset)}};
    letter.origin_at = TimestampMs{number_of(headers, names::timestamp)};
    letter.reason = value_of(headers, names::reason);
    letter.message = value_of(headers, names::message);
    letter.key = record.key;
    letter.value = record.value;
    letter.original_value_bytes = domain::parse_decimal(value_of(headers, names::value_bytes));
    letter.original_key_bytes = domain::parse_decimal(value_of(headers, names::key_bytes));
    return letter;
}

std::string to_json(const Letter& letter) {
    std::string json = "{";
    add_text(json, "id", to_string(letter.position));
    add_time(json, "written_at", letter.written_at);
    add_text(json, "reason", letter.reason);
    add_text(json, "message", letter.message);
    if (!letter.origin_topic.empty()) {
        json += R"("origin":{)";
        add_text(json, "topic", letter.origin_topic);
        add_time(json, "appended_at", letter.origin_at);
        json += fmt::format(R"("partition":{},"offset":{}}},)", letter.origin.partition.value,
                            letter.origin.offset.value);
    }
    add_text(json, "key", letter.key);
    if (observability::valid_utf8(letter.value) == letter.value)
        add_text(json, "value", letter.value);
    else
        add_text(json, "value_base64", base64(letter.value));
    if (letter.cut())
        json += fmt::format(R"("cut":true,"original_value_bytes":{},"original_key_bytes":{},)",
                            *letter.original_value_bytes, letter.original_key_bytes.value_or(0));
    json.back() = '}';
    return json;
}

}  // namespace adtally::operations
