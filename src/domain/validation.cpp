#include "domain/validation.hpp"

#include <simdjson.h>
#include <chrono>

#include "domain/codec.hpp"
#include "domain/event_fields.hpp"
#include "domain/number_text.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

// Reads exactly `count` digits; -1 when they are not there.
template <std::size_t count>
int take_digits(std::string_view& text) {
    if (text.size() < count)
        return -1;
    unsigned number = 0;
    bool digits = true;
    for (std::size_t place = 0; place < count; ++place) {
        unsigned digit = static_cast<unsigned char>(text[place]) - unsigned{'0'};
        digits &= digit <= 9;
        number = number * 10 + digit;
    }
    if (!digits)
        return -1;
    text.remove_prefix(count);
    return static_cast<int>(number);
}

bool take_byte(std::string_view& text, char wanted) {
    if (text.empty() || text.front() != wanted)
        return false;
    text.remove_prefix(1);
    return true;
}

// "2024-01-15" to days since 1970.
std::optional<std::int64_t> take_date(std::string_view& text) {
    int year = take_digits<4>(text);
    if (year < 0 || !take_byte(text, '-'))
        return std::nullopt;
    int month = take_digits<2>(text);
    if (month < 0 || !take_byte(text, '-'))
        return std::nullopt;
    int day = take_digits<2>(text);
    std::chrono::year_month_day date{std::chrono::year{year},
                                     std::chrono::month{static_cast<unsigned>(month)},
                                     std::chrono::day{static_cast<unsigned>(day)}};
    if (day < 0 || !date.ok())
        return std::nullopt;
    return std::chrono::sys_days{date}.time_since_epoch().count();
}

// "14:03:22.123" to milliseconds since midnight; digits past the third are dropped.
std::optional<std::int64_t> take_time(std::string_view& text) {
    int hour = take_digits<2>(text);
    if (hour < 0 || hour > 23 || !take_byte(text, ':'))
        return std::nullopt;
    int minute = take_digits<2>(text);
    if (minute < 0 || minute > 59 || !take_byte(text, ':'))
        return std::nullopt;
    int second = take_digits<2>(text);
    if (second < 0 || second > 60)
        return std::nullopt;
    second = std::min(second, 59);
    int milliseconds = 0;
    if (take_byte(text, '.')) {
        int digit = take_digits<1>(text);
        if (digit < 0)
            return std::nullopt;
        for (int weight = 100; digit >= 0; weight /= 10, digit = take_digits<1>(text))
            milliseconds += digit * weight;
    }
    return ((hour * 60 + minute) * 60 + second) * 1000LL + milliseconds;
}

// "Z" or "+08:00" to milliseconds ahead of UTC.
std::optional<std::int64_t> take_offset(std::string_view& text) {
    if (take_byte(text, 'Z') || take_byte(text, 'z'))
        return 0;
    bool ahead = take_byte(text, '+');
    if (!ahead && !take_byte(text, '-'))
        return std::nullopt;
    int hours = take_digits<2>(text);
    if (hours < 0 || hours > 23 || !take_byte(text, ':'))
        return std::nullopt;
    int minutes = take_digits<2>(text);
    if (minutes < 0 || minutes > 59)
        return std::nullopt;
    std::int64_t offset = (hours * 60 + minutes) * 60'000LL;
    return ahead ? offset : -offset;
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
    std::optional<std::int64_t> days = take_date(text);
    if (!days || !(take_byte(text, 'T') || take_byte(text, 't')))
        return std::nullopt;
    std::optional<std::int64_t> time = take_time(text);
    if (!time)
        return std::nullopt;
    std::optional<std::int64_t> offset = take_offset(text);
    if (!offset || !text.empty())
        return std::nullopt;
    return TimestampMs{*days * 86'400'000 + *time - *offset};
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
