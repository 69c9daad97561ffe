#include "domain/validation.hpp"

#include <simdjson.h>
#include <algorithm>
#include <chrono>

#include "domain/codec.hpp"
#include "domain/digit_pair.hpp"
#include "domain/event_fields.hpp"
#include "domain/number_text.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

constexpr std::size_t seconds_end = 19;  // of "2024-01-15T14:03:22"

// "2024-01-15T14:03:22" to milliseconds since 1970, as if it were UTC.
std::optional<std::int64_t> parse_to_seconds(std::string_view text) {
    bool punctuated = text.size() >= seconds_end && text[4] == '-' && text[7] == '-' &&
                      (text[10] == 'T' || text[10] == 't') && text[13] == ':' && text[16] == ':';
    if (!punctuated)
        return std::nullopt;
    unsigned century = digit_pair(text, 0);
    unsigned year = digit_pair(text, 2);
    unsigned hour = digit_pair(text, 11);
    unsigned minute = digit_pair(text, 14);
    unsigned second = digit_pair(text, 17);
    if (century > 99 || year > 99 || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;
    std::chrono::year_month_day date{std::chrono::year{static_cast<int>(century * 100 + year)},
                                     std::chrono::month{digit_pair(text, 5)},
                                     std::chrono::day{digit_pair(text, 8)}};
    if (!date.ok())
        return std::nullopt;
    std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    return ((days * 24 + hour) * 60 + minute) * 60'000 + std::min(second, 59u) * 1000;
}

// Takes ".123" if it is there, to milliseconds; digits past the third are dropped.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    if (text.empty() || text.front() != '.')
        return 0;
    std::size_t place = 1;
    std::int64_t milliseconds = 0;
    std::int64_t weight = 100;
    for (; place < text.size() && text[place] >= '0' && text[place] <= '9'; ++place) {
        milliseconds += (text[place] - '0') * weight;
        weight /= 10;
    }
    text.remove_prefix(place);
    if (place == 1)
        return std::nullopt;
    return milliseconds;
}

// "Z" or "+08:00" to milliseconds ahead of UTC.
std::optional<std::int64_t> parse_offset(std::string_view text) {
    if (text == "Z" || text == "z")
        return 0;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
        return std::nullopt;
    unsigned hours = digit_pair(text, 1);
    unsigned minutes = digit_pair(text, 4);
    if (hours > 23 || minutes > 59)
        return std::nullopt;
    std::int64_t offset = (hours * 60 + minutes) * 60'000;
    return text[0] == '+' ? offset : -offset;
}

// The name behind "attributes." or "attr."; nothing when it is no attribute.
std::optional<std::string_view> attribute_name(std::string_view name) {
    for (std::string_view prefix : {"attributes.", "attr."}) {
        if (name.starts_with(prefix))
            return name.substr(prefix.size());
    }
    return std::nullopt;
}

}  // namespace

bool is_printable_utf8(std::string_view text) {
    for (const char *at = text.data(), *end = at + text.size(); at != end; ++at) {
        at = find_special(at, end);
        if (at == end)
            break;
        if (*at != '"' && *at != '\\')
            return false;
    }
    return simdjson::validate_utf8(text.data(), text.size());
}

std::optional<TimestampMs> parse_rfc3339(std::string_view text) {
    std::optional<std::int64_t> local = parse_to_seconds(text);
    if (!local)
        return std::nullopt;
    text.remove_prefix(seconds_end);
    std::optional<std::int64_t> fraction = take_fraction(text);
    std::optional<std::int64_t> offset = parse_offset(text);
    if (!fraction || !offset)
        return std::nullopt;
    return TimestampMs{*local + *fraction - *offset};
}

std::optional<std::int64_t> parse_decimal(std::string_view text) {
    Number number = read_number(text);
    if (number.kind != NumberKind::integer || text.front() == '-')
        return std::nullopt;
    return number.value;
}

std::optional<Rejection> set_field(Event& event, std::string_view name, std::string_view text) {
    if (std::optional<std::string_view> entry = attribute_name(name)) {
        bool printable = is_printable_utf8(*entry) && is_printable_utf8(text);
        Verdict verdict = printable ? add_attribute(event, *entry, text) : Verdict::invalid_value;
        if (verdict != Verdict::ok)
            return reject_attribute(*entry, verdict);
        return std::nullopt;
    }
    Field field = find_field(name);
    if (field == Field::unknown || field == Field::received_at || field == Field::schema)
        return reject_unknown(name);
    Verdict verdict =
        is_printable_utf8(text) ? set_text(event, field, text) : Verdict::invalid_value;
    if (verdict != Verdict::ok)
        return reject(field, verdict);
    return std::nullopt;
}

std::optional<Rejection> check_complete(const Event& event, bool has_type, TimestampMs now) {
    if (!has_type)
        return reject(Field::type, Verdict::missing_field);
    if (event.ad_id.value == 0)
        return reject(Field::ad_id, Verdict::missing_field);
    if (event.campaign_id.value == 0)
        return reject(Field::campaign_id, Verdict::missing_field);
    if (event.timestamp.value - limits::future_ms > now.value) {
        std::string message = "timestamp is in the future; allowed: at most 5 minutes ahead of ";
        append_rfc3339(now, message);
        return Rejection{"future_timestamp", std::string{name_of(Field::timestamp)},
                         std::move(message)};
    }
    return std::nullopt;
}

}  // namespace adtally::domain
