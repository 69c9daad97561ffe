#include "domain/canonical_reader.hpp"

#include <simdjson.h>

#include <cstring>
#include <optional>

#include "domain/digit_pair.hpp"
#include "domain/text_scan.hpp"
#include "domain/validation.hpp"

namespace adtally::domain {
namespace {

constexpr std::string_view last_member = "\",\"schema\":1}";
constexpr std::size_t date_bytes = 10;         // 2024-01-15
constexpr std::size_t time_bytes = 24;         // 2024-01-15T14:03:22.123Z
constexpr std::ptrdiff_t certain_digits = 18;  // of any int64

}  // namespace

template <std::size_t size>
inline bool CanonicalReader::take(const char (&expected)[size]) {
    constexpr std::size_t bytes = size - 1;
    if (static_cast<std::size_t>(end_ - at_) < bytes || std::memcmp(at_, expected, bytes) != 0)
        return false;
    at_ += bytes;
    return true;
}

bool CanonicalReader::read(std::string_view json, Event& into) {
    into.clear();
    if (!json.ends_with(last_member))
        return false;
    at_ = json.data();
    end_ = at_ + json.size();
    if (!take("{\"event_id\":\"") || !read_text(into, Field::event_id))
        return false;
    if (!take(",\"type\":\"") || !read_text(into, Field::type))
        return false;
    if (!take(",\"ad_id\":") || !read_integer(into, Field::ad_id))
        return false;
    if (!take(",\"campaign_id\":") || !read_integer(into, Field::campaign_id))
        return false;
    if (take(",\"publisher_id\":") && !read_integer(into, Field::publisher_id))
        return false;
    if (take(",\"slot_id\":") && !read_integer(into, Field::slot_id))
        return false;
    if (take(",\"session_id\":\"") && !read_text(into, Field::session_id))
        return false;
    if (take(",\"user_id\":\"") && !read_text(into, Field::user_id))
        return false;
    if (!take(",\"timestamp\":\"") || !read_time(into, Field::timestamp))
        return false;
    if (take(",\"cost_micros\":") && !read_integer(into, Field::cost_micros))
        return false;
    if (take(",\"value_micros\":") && !read_integer(into, Field::value_micros))
        return false;
    if (take(",\"currency\":\"") && !read_text(into, Field::currency))
        return false;
    if (take(",\"page_url\":\"") && !read_text(into, Field::page_url))
        return false;
    if (take(",\"user_agent\":\"") && !read_text(into, Field::user_agent))
        return false;
    if (take(",\"ip\":\"") && !read_text(into, Field::ip))
        return false;
    if (take(",\"attributes\":{") && !read_attributes(into))
        return false;
    if (!take(",\"received_at\":\"") || !read_time(into, Field::received_at))
        return false;
    return at_ + last_member.size() - 1 == end_ &&
           simdjson::validate_utf8(json.data(), json.size());
}

// There is a special byte before the end: `last_member` has some, and no opening quote is the last.
bool CanonicalReader::take_text(std::string_view& text) {
    const char* stop = find_certain_special(at_);
    text = {at_, static_cast<std::size_t>(stop - at_)};
    at_ = stop + 1;
    return *stop == '"';
}

bool CanonicalReader::read_text(Event& into, Field field) {
    std::string_view text;
    return take_text(text) && set_text(into, field, text) == Verdict::ok;
}

bool CanonicalReader::read_integer(Event& into, Field field) {
    const char* begin = at_;
    std::int64_t value = 0;
    for (; at_ != end_ && *at_ >= '0' && *at_ <= '9'; ++at_) {
        if (at_ - begin == certain_digits)
            return false;
        value = value * 10 + (*at_ - '0');
    }
    const bool is_decimal = at_ != begin && (*begin != '0' || at_ - begin == 1);
    return is_decimal && set_integer(into, field, value) == Verdict::ok;
}

bool CanonicalReader::read_time(Event& into, Field field) {
    if (static_cast<std::size_t>(end_ - at_) <= time_bytes)
        return false;
    const std::string_view text{at_, time_bytes};
    const bool punctuated = text[10] == 'T' && text[13] == ':' && text[16] == ':' &&
                            text[19] == '.' && text[23] == 'Z' && at_[time_bytes] == '"';
    const unsigned hour = digit_pair(text, 11);
    const unsigned minute = digit_pair(text, 14);
    const unsigned second = digit_pair(text, 17);
    const unsigned hundreds = static_cast<unsigned char>(text[20]) - unsigned{'0'};
    const unsigned rest = digit_pair(text, 21);
    std::int64_t days = 0;
    if (!punctuated || hour > 23 || minute > 59 || second > 59 || hundreds > 9 || rest > 99 ||
        !days_of(at_, days))
        return false;
    at_ += time_bytes + 1;
    const std::int64_t ms =
        ((days * 24 + hour) * 60 + minute) * 60'000 + second * 1000 + hundreds * 100 + rest;
    return set_integer(into, field, ms) == Verdict::ok;
}

bool CanonicalReader::days_of(const char* date, std::int64_t& days) {
    if (std::memcmp(date, last_date_.data(), date_bytes) != 0) {
        constexpr std::string_view midnight = "T00:00:00Z";
        std::array<char, date_bytes + midnight.size()> text;
        std::memcpy(text.data(), date, date_bytes);
        std::memcpy(text.data() + date_bytes, midnight.data(), midnight.size());
        const std::optional<TimestampMs> day = parse_rfc3339({text.data(), text.size()});
        if (!day)
            return false;
        std::memcpy(last_date_.data(), date, date_bytes);
        last_days_ = day->value / 86'400'000;
    }
    days = last_days_;
    return true;
}

bool CanonicalReader::read_attributes(Event& into) {
    do {
        std::string_view name;
        std::string_view value;
        if (!take("\"") || !take_text(name) || !take(":\"") || !take_text(value) ||
            add_attribute(into, name, value) != Verdict::ok)
            return false;
    } while (take(","));
    return take("}");
}

}  // namespace adtally::domain
