// Which hour and which day a moment belongs to, in the reporting time zone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace adtally::domain {

// Hours and days since 1970-01-01T00 local time of the reporting zone.
using LocalHour = Strong<struct LocalHourTag>;
using LocalDay = Strong<struct LocalDayTag>;

class TimeZoneFile;

// A reporting time zone: UTC, a fixed offset ("+08:00"), or an IANA name ("Asia/Shanghai") from
// the system's database. The offset is cached for the span between two changes of it, so that it
// is looked up about twice a year of event time; one thread.
class ReportingZone {
public:
    // Nothing for an unknown name.
    static std::optional<ReportingZone> from_name(std::string_view name);
    static ReportingZone utc();

    LocalHour hour(TimestampMs time);
    const std::string& name() const { return name_; }

private:
    ReportingZone(std::string name, std::int64_t fixed_offset_ms);
    ReportingZone(std::string name, std::shared_ptr<const TimeZoneFile> file);
    std::int64_t offset_ms(std::int64_t time_ms);

    std::string name_;
    std::shared_ptr<const TimeZoneFile> file_;  // none: the cached span is all of time
    std::int64_t cached_from_ms_;
    std::int64_t cached_until_ms_;
    std::int64_t cached_offset_ms_;
};

constexpr LocalDay day_of(LocalHour hour) {
    std::int64_t day = hour.value / 24 - (hour.value % 24 < 0 ? 1 : 0);
    return LocalDay{day};
}
constexpr int hour_of_day(LocalHour hour) {
    return static_cast<int>(hour.value - day_of(hour).value * 24);
}

std::string format_day(LocalDay day);                      // "2024-01-15"
std::string format_hour(LocalHour hour);                   // "2024-01-15T14"
std::optional<LocalDay> parse_day(std::string_view text);  // "2024-01-15"

}  // namespace adtally::domain
