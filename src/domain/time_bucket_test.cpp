#include "domain/time_bucket.hpp"

#include <gtest/gtest.h>
#include <chrono>

#include "domain/validation.hpp"

namespace adtally::domain {
namespace {

std::string hour_in(const char* zone_name, const char* moment) {
    auto zone = ReportingZone::from_name(zone_name);
    auto time = parse_rfc3339(moment);
    if (!zone || !time)
        return "no such zone or time";
    return format_hour(zone->hour(*time));
}

TEST(ReportingZone, Utc) {
    EXPECT_EQ(hour_in("UTC", "2024-01-15T14:59:59.999Z"), "2024-01-15T14");
    EXPECT_EQ(hour_in("UTC", "2024-01-15T15:00:00Z"), "2024-01-15T15");
    EXPECT_EQ(hour_in("UTC", "1969-12-31T23:59:59Z"), "1969-12-31T23");
    EXPECT_EQ(format_hour(ReportingZone::utc().hour(TimestampMs{0})), "1970-01-01T00");
    EXPECT_EQ(ReportingZone::utc().name(), "UTC");
}

TEST(ReportingZone, FixedOffsets) {
    EXPECT_EQ(hour_in("+08:00", "2024-01-15T16:30:00Z"), "2024-01-16T00");
    EXPECT_EQ(hour_in("-03:30", "2024-01-15T03:00:00Z"), "2024-01-14T23");
    EXPECT_EQ(hour_in("+05:30", "2024-01-15T18:29:59Z"), "2024-01-15T23");
    EXPECT_EQ(hour_in("+05:30", "2024-01-15T18:30:00Z"), "2024-01-16T00");
}

TEST(ReportingZone, NamedZones) {
    EXPECT_EQ(hour_in("Asia/Shanghai", "2024-07-15T16:00:00Z"), "2024-07-16T00");
    EXPECT_EQ(hour_in("Asia/Kolkata", "2024-01-15T18:30:00Z"), "2024-01-16T00");
    EXPECT_EQ(hour_in("Asia/Kolkata", "2024-01-15T18:29:59Z"), "2024-01-15T23");
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-01-15T12:00:00Z"), "2024-01-15T13");
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-07-15T12:00:00Z"), "2024-07-15T14");
    EXPECT_EQ(hour_in("America/New_York", "2024-07-15T03:59:59Z"), "2024-07-14T23");
}

TEST(ReportingZone, SummerTimeSkipsAnHourAndRepeatsAnother) {
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-03-31T00:59:59.999Z"), "2024-03-31T01");
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-03-31T01:00:00Z"), "2024-03-31T03");
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-10-27T00:59:59.999Z"), "2024-10-27T02");
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-10-27T01:00:00Z"), "2024-10-27T02");
    EXPECT_EQ(hour_in("Europe/Berlin", "2024-10-27T02:00:00Z"), "2024-10-27T03");
}

TEST(ReportingZone, GoesOnBehindTheTableOfTheFile) {
    EXPECT_EQ(hour_in("Europe/Berlin", "2123-07-15T12:00:00Z"), "2123-07-15T14");
    EXPECT_EQ(hour_in("Europe/Berlin", "2123-01-15T12:00:00Z"), "2123-01-15T13");
    EXPECT_EQ(hour_in("Australia/Sydney", "2123-01-15T12:00:00Z"), "2123-01-15T23");
    EXPECT_EQ(hour_in("Asia/Shanghai", "9999-12-31T23:59:59.999Z"), "10000-01-01T07");
}

// The cached offset must not depend on what was asked before.
TEST(ReportingZone, GivesTheSameInAnyOrder) {
    auto zone = ReportingZone::from_name("Europe/Berlin");
    ASSERT_TRUE(zone);
    const char* moments[] = {"2024-07-15T12:00:00Z", "2024-01-15T12:00:00Z",
                             "2050-07-15T12:00:00Z", "2001-07-15T12:00:00Z",
                             "2024-03-31T01:00:00Z", "2024-03-31T00:59:59.999Z"};
    for (const char* first : moments) {
        for (const char* second : moments) {
            zone->hour(*parse_rfc3339(first));
            EXPECT_EQ(format_hour(zone->hour(*parse_rfc3339(second))),
                      hour_in("Europe/Berlin", second))
                << first << " then " << second;
        }
    }
}

TEST(ReportingZone, RefusesUnknownNamesAndWaysOutOfTheDatabase) {
    for (const char* name :
         {"", "Mars/Olympus", "../../etc/passwd", "Europe/../Europe/Berlin", "/etc/localtime",
          "Europe/", "Europe", "Europe//Berlin", "./UTC", "zone.tab", "tzdata.zi", "+8:00",
          "+19:00", "+08:60", "08:00", "+0800", "Europe/Berlin\n", "right/Europe/Berlin", "."})
        EXPECT_FALSE(ReportingZone::from_name(name)) << name;
}

TEST(Buckets, DaysAndHoursAreTold) {
    LocalHour hour{-1};
    EXPECT_EQ(day_of(hour), LocalDay{-1});
    EXPECT_EQ(hour_of_day(hour), 23);
    EXPECT_EQ(format_hour(hour), "1969-12-31T23");
    EXPECT_EQ(day_of(LocalHour{48}), LocalDay{2});
    EXPECT_EQ(hour_of_day(LocalHour{49}), 1);
    EXPECT_EQ(format_day(LocalDay{0}), "1970-01-01");
}

TEST(Buckets, ParsesWhatItFormats) {
    for (std::int64_t day = 0; day < 40'000; ++day)
        ASSERT_EQ(parse_day(format_day(LocalDay{day})), LocalDay{day});
    EXPECT_EQ(format_day(*parse_day("2024-02-29")), "2024-02-29");
}

TEST(Buckets, RefusesWhatIsNoDay) {
    for (const char* text :
         {"", "2024", "2024-1-15", "2024-13-01", "2023-02-29", "2024-00-01", "2024-01-00",
          "2024-01-15T", "2024/01/15", "-024-01-15", "20240115", "2024-01-1x"})
        EXPECT_FALSE(parse_day(text)) << text;
}

}  // namespace
}  // namespace adtally::domain
