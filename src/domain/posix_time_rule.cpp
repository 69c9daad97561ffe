#include "domain/posix_time_rule.hpp"

#include <chrono>

namespace adtally::domain {

class PosixTimeRule::Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    bool at_end() const { return text_.empty(); }

    bool take(char wanted) {
        if (text_.empty() || text_.front() != wanted)
            return false;
        text_.remove_prefix(1);
        return true;
    }

    // "CET" or "<+03>".
    bool skip_name() {
        bool quoted = take('<');
        std::size_t length = 0;
        while (length < text_.size() && is_name_byte(text_[length], quoted))
            ++length;
        text_.remove_prefix(length);
        return length >= 3 && (!quoted || take('>'));
    }

    bool number(int most, int& into) {
        std::size_t length = 0;
        int value = 0;
        while (length < text_.size() && length < 4 && text_[length] >= '0' && text_[length] <= '9')
            value = value * 10 + (text_[length++] - '0');
        text_.remove_prefix(length);
        into = value;
        return length > 0 && value <= most;
    }

    // "-1", "+5:30", "2:00:00" in seconds.
    bool time(std::int64_t& into) {
        bool negative = take('-');
        if (!negative)
            take('+');
        int hours = 0;
        int minutes = 0;
        int seconds = 0;
        if (!number(167, hours) || (take(':') && !number(59, minutes)) ||
            (take(':') && !number(59, seconds)))
            return false;
        std::int64_t total = (hours * 60LL + minutes) * 60 + seconds;
        into = negative ? -total : total;
        return true;
    }

    bool change(Change& into) {
        if (take('M')) {
            into.form = DayForm::month_week_day;
            if (!number(12, into.month) || into.month < 1 || !take('.') || !number(5, into.week) ||
                into.week < 1 || !take('.') || !number(6, into.day))
                return false;
        } else if (take('J')) {
            into.form = DayForm::julian_without_leap_day;
            if (!number(365, into.day) || into.day < 1)
                return false;
        } else {
            into.form = DayForm::day_of_year;
            if (!number(365, into.day))
                return false;
        }
        return !take('/') || time(into.seconds);
    }

private:
    static bool is_name_byte(char byte, bool quoted) {
        bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        return letter || (quoted && ((byte >= '0' && byte <= '9') || byte == '+' || byte == '-'));
    }

    std::string_view text_;
};

std::optional<PosixTimeRule> PosixTimeRule::parse(std::string_view text) {
    PosixTimeRule rule;
    Reader reader{text};
    std::int64_t west = 0;  // POSIX counts west of Greenwich
    if (!reader.skip_name() || !reader.time(west))
        return std::nullopt;
    rule.standard_ = -west;
    if (reader.at_end())
        return rule;

    rule.has_summer_ = true;
    if (!reader.skip_name())
        return std::nullopt;
    rule.summer_ = rule.standard_ + 3600;
    if (!reader.take(',')) {
        if (!reader.time(west) || !reader.take(','))
            return std::nullopt;
        rule.summer_ = -west;
    }
    if (!reader.change(rule.summer_begins_) || !reader.take(',') ||
        !reader.change(rule.summer_ends_) || !reader.at_end())
        return std::nullopt;
    return rule;
}

std::int64_t PosixTimeRule::local_time(const Change& change, int year) {
    using namespace std::chrono;
    sys_days day = sys_days{std::chrono::year{year} / January / 1};
    switch (change.form) {
        case DayForm::month_week_day: {
            auto in_month = std::chrono::year{year} / month{static_cast<unsigned>(change.month)};
            weekday wanted{static_cast<unsigned>(change.day)};
            // Week 5 is the last.
            day = change.week == 5
                      ? sys_days{in_month / wanted[last]}
                      : sys_days{in_month / wanted[static_cast<unsigned>(change.week)]};
            break;
        }
        case DayForm::julian_without_leap_day: {
            bool after_leap_day = std::chrono::year{year}.is_leap() && change.day > 59;
            day += days{change.day - (after_leap_day ? 0 : 1)};
            break;
        }
        case DayForm::day_of_year:
            day += days{change.day};
            break;
    }
    return day.time_since_epoch().count() * 86'400LL + change.seconds;
}

// Looks at the changes of the year and of its neighbours: hours may reach over the turn of a year.
OffsetSpan PosixTimeRule::at(std::int64_t utc_seconds) const {
    if (!has_summer_)
        return {.offset = standard_};
    using namespace std::chrono;
    auto date = year_month_day{floor<days>(sys_seconds{seconds{utc_seconds + standard_}})};
    OffsetSpan span{.offset = standard_};
    auto consider = [&](std::int64_t change, std::int64_t offset_after) {
        if (change <= utc_seconds && change >= span.from) {
            span.from = change;
            span.offset = offset_after;
        } else if (change > utc_seconds && change < span.until) {
            span.until = change;
        }
    };
    for (int year = static_cast<int>(date.year()) - 1; year <= static_cast<int>(date.year()) + 1;
         ++year) {
        consider(local_time(summer_begins_, year) - standard_, summer_);
        consider(local_time(summer_ends_, year) - summer_, standard_);
    }
    return span;
}

}  // namespace adtally::domain
