// The rule by which a time zone goes on after the last change that its table lists.
//
// It is the TZ variable's format of POSIX with the hours of RFC 8536, 3.3.1:
// "CET-1CEST,M3.5.0,M10.5.0/3" or "<+0530>-5:30". Pure, immutable, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace adtally::domain {

// An offset from UTC and the time for which it holds, in seconds since 1970 UTC.
struct OffsetSpan {
    std::int64_t from = std::numeric_limits<std::int64_t>::min();
    std::int64_t until = std::numeric_limits<std::int64_t>::max();
    std::int64_t offset = 0;  // local = UTC + offset
};

class PosixTimeRule {
public:
    // Nothing when the text is not such a rule.
    static std::optional<PosixTimeRule> parse(std::string_view text);

    OffsetSpan at(std::int64_t utc_seconds) const;

private:
    enum class DayForm : std::uint8_t { month_week_day, julian_without_leap_day, day_of_year };
    struct Change {
        DayForm form = DayForm::month_week_day;
        int month = 0;
        int week = 0;
        int day = 0;  // of the week (0 is Sunday), or of the year
        std::int64_t seconds = 2 * 3600;
    };
    class Reader;

    // Local seconds since 1970 at which the change happens in that year.
    static std::int64_t local_time(const Change& change, int year);

    std::int64_t standard_ = 0;
    std::int64_t summer_ = 0;
    bool has_summer_ = false;
    Change summer_begins_;
    Change summer_ends_;
};

}  // namespace adtally::domain
