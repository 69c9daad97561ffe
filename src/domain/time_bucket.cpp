#include "domain/time_bucket.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "domain/digit_pair.hpp"
#include "domain/time_zone_file.hpp"

namespace adtally::domain {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

constexpr std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
    return value / by - (value % by < 0 ? 1 : 0);
}

constexpr std::int64_t to_ms_saturating(std::int64_t seconds) {
    if (seconds <= least / 1000)
        return least;
    return seconds >= most / 1000 ? most : seconds * 1000;
}

// "+08:00" in milliseconds; at most 18 hours.
std::optional<std::int64_t> parse_fixed_offset(std::string_view text) {
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
        return std::nullopt;
    unsigned hours = digit_pair(text, 1);
    unsigned minutes = digit_pair(text, 4);
    if (hours > 18 || minutes > 59)
        return std::nullopt;
    std::int64_t offset = (hours * 60 + minutes) * 60'000;
    return text[0] == '-' ? -offset : offset;
}

void append_padded(std::string& to, std::int64_t number, std::size_t width) {
    std::string digits = std::to_string(number);
    to.append(width > digits.size() ? width - digits.size() : 0, '0');
    to += digits;
}

}  // namespace

ReportingZone::ReportingZone(std::string name, std::int64_t fixed_offset_ms)
    : name_(std::move(name)),
      cached_from_ms_(least),
      cached_until_ms_(most),
      cached_offset_ms_(fixed_offset_ms) {}

ReportingZone::ReportingZone(std::string name, std::shared_ptr<const TimeZoneFile> file)
    : name_(std::move(name)),
      file_(std::move(file)),
      cached_from_ms_(0),
      cached_until_ms_(0),
      cached_offset_ms_(0) {}

ReportingZone ReportingZone::utc() {
    return ReportingZone{"UTC", 0};
}

std::optional<ReportingZone> ReportingZone::from_name(std::string_view name) {
    if (name == "UTC" || name == "Z")
        return utc();
    if (std::optional<std::int64_t> offset = parse_fixed_offset(name))
        return ReportingZone{std::string{name}, *offset};
    std::shared_ptr<const TimeZoneFile> file = TimeZoneFile::load(name);
    if (!file)
        return std::nullopt;
    return ReportingZone{std::string{name}, std::move(file)};
}

std::int64_t ReportingZone::offset_ms(std::int64_t time_ms) {
    bool cached = time_ms >= cached_from_ms_ && time_ms < cached_until_ms_;
    if (!cached && file_) {
        OffsetSpan span = file_->at(floor_divide(time_ms, 1000));
        cached_from_ms_ = to_ms_saturating(span.from);
        cached_until_ms_ = to_ms_saturating(span.until);
        cached_offset_ms_ = span.offset * 1000;
    }
    return cached_offset_ms_;
}

LocalHour ReportingZone::hour(TimestampMs time) {
    return LocalHour{floor_divide(time.value + offset_ms(time.value), hour_ms)};
}

std::string format_day(LocalDay day) {
    std::chrono::sys_days days{std::chrono::days{day.value}};
    std::chrono::year_month_day date{days};
    std::string text;
    append_padded(text, static_cast<int>(date.year()), 4);
    text += '-';
    append_padded(text, static_cast<unsigned>(date.month()), 2);
    text += '-';
    append_padded(text, static_cast<unsigned>(date.day()), 2);
    return text;
}

std::string format_hour(LocalHour hour) {
    std::string text = format_day(day_of(hour));
    text += 'T';
    append_padded(text, hour_of_day(hour), 2);
    return text;
}

std::optional<LocalDay> parse_day(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-')
        return std::nullopt;
    unsigned century = digit_pair(text, 0);
    unsigned year = digit_pair(text, 2);
    if (century > 99 || year > 99)
        return std::nullopt;
    std::chrono::year_month_day date{std::chrono::year{static_cast<int>(century * 100 + year)},
                                     std::chrono::month{digit_pair(text, 5)},
                                     std::chrono::day{digit_pair(text, 8)}};
    if (!date.ok())
        return std::nullopt;
    return LocalDay{std::chrono::sys_days{date}.time_since_epoch().count()};
}

}  // namespace adtally::domain
