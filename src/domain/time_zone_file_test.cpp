#include "domain/time_zone_file.hpp"

#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace adtally::domain {
namespace {

std::string bytes_of(const std::string& name) {
    std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

std::string footer_of(const std::string& bytes) {
    std::size_t begin = bytes.rfind('\n', bytes.size() - 2);
    return bytes.substr(begin + 1, bytes.size() - begin - 2);
}

std::vector<std::string> zone_names() {
    std::vector<std::string> names;
    std::ifstream list("/usr/share/zoneinfo/zone1970.tab");
    for (std::string line; std::getline(list, line);) {
        if (line.empty() || line[0] == '#')
            continue;
        std::istringstream columns(line);
        std::string country, place, name;
        columns >> country >> place >> name;
        names.push_back(name);
    }
    return names;
}

constexpr std::int64_t year_2000 = 946'684'800;
constexpr std::int64_t year_2038 = 2'145'916'800;

TEST(TimeZoneFile, LoadsEveryZoneOfTheDatabase) {
    std::vector<std::string> names = zone_names();
    ASSERT_GT(names.size(), 200u);
    for (const std::string& name : names)
        EXPECT_TRUE(TimeZoneFile::load(name)) << name;
}

// The rule is meant for the time behind the table, yet it must say what the table's last years say:
// two ways to the same offsets.
TEST(TimeZoneFile, TheRuleContinuesTheTable) {
    int compared = 0;
    for (const std::string& name : zone_names()) {
        auto zone = TimeZoneFile::load(name);
        auto rule = PosixTimeRule::parse(footer_of(bytes_of(name)));
        ASSERT_TRUE(zone && rule) << name;
        // Their tables follow Ramadan and go on to 2087.
        if (name == "Africa/Casablanca" || name == "Africa/El_Aaiun" || name == "Asia/Gaza" ||
            name == "Asia/Hebron")
            continue;
        for (std::int64_t time = year_2038 - 5 * 366 * 86'400LL; time < year_2038; time += 1800) {
            ASSERT_EQ(rule->at(time).offset, zone->at(time).offset) << name << " at " << time;
            ++compared;
        }
    }
    EXPECT_GT(compared, 1'000'000);
}

TEST(TimeZoneFile, ASpanHoldsOneOffsetAndEndsWhereTheNextBegins) {
    for (const char* name : {"Europe/Berlin", "Australia/Lord_Howe", "Asia/Gaza", "America/Nuuk",
                             "Africa/Casablanca", "Asia/Kolkata"}) {
        auto zone = TimeZoneFile::load(name);
        ASSERT_TRUE(zone) << name;
        std::int64_t time = year_2000;
        for (int span_count = 0; span_count < 300 && time < 2 * year_2038; ++span_count) {
            OffsetSpan span = zone->at(time);
            ASSERT_LE(span.from, time) << name;
            ASSERT_GT(span.until, time) << name;
            if (span.until == std::numeric_limits<std::int64_t>::max())
                break;
            EXPECT_EQ(zone->at(span.until - 1).offset, span.offset) << name;
            EXPECT_EQ(zone->at(span.until).from, span.until) << name;
            time = span.until;
        }
    }
}

TEST(TimeZoneFile, DamagedFilesAreRefusedOrHarmless) {
    const std::string whole = bytes_of("Europe/Berlin");
    ASSERT_TRUE(TimeZoneFile::parse(whole));
    for (std::size_t length = 0; length + 1 < whole.size(); ++length)
        EXPECT_FALSE(TimeZoneFile::parse(whole.substr(0, length))) << length;
    for (std::size_t place = 0; place < whole.size(); ++place) {
        std::string damaged = whole;
        damaged[place] = '\xFF';
        auto zone = TimeZoneFile::parse(damaged);
        std::int64_t offset = zone ? zone->at(year_2000).offset : 0;
        EXPECT_LT(std::abs(offset), 26 * 3600) << place;
    }
}

TEST(TimeZoneFile, LeapSecondsAreRefused) {
    const std::string right = bytes_of("right/Europe/Berlin");
    if (right.empty())
        GTEST_SKIP() << "this system has no zones with leap seconds";
    EXPECT_FALSE(TimeZoneFile::parse(right));
}

TEST(PosixTimeRule, ReadsAllForms) {
    auto offset = [](const char* text, std::int64_t time) -> std::int64_t {
        auto rule = PosixTimeRule::parse(text);
        return rule ? rule->at(time).offset : -1;
    };
    const std::int64_t january = 1'705'327'402;
    const std::int64_t july = 1'721'044'800;
    EXPECT_EQ(offset("UTC0", january), 0);
    EXPECT_EQ(offset("<+0530>-5:30", january), 19'800);
    EXPECT_EQ(offset("EST5EDT,M3.2.0,M11.1.0", july), -14'400);
    EXPECT_EQ(offset("EST5EDT4:30,M3.2.0/2:30:15,M11.1.0", july), -16'200);
    EXPECT_EQ(offset("AAA0BBB,J60/0,J300/0", 1'709'251'200), 3600);  // 2024-03-01
    EXPECT_EQ(offset("AAA0BBB,J60/0,J300/0", 1'709'251'199), 0);
    EXPECT_EQ(offset("AAA0BBB,59/0,300/0", 1'709'164'800), 3600);  // 2024-02-29
    EXPECT_EQ(offset("AAA0BBB,59/0,300/0", 1'709'164'799), 0);
    EXPECT_EQ(offset("AEST-10AEDT,M10.1.0,M4.1.0/3", january), 39'600);  // summer over new year
}

TEST(PosixTimeRule, RefusesWhatIsNone) {
    for (const char* text :
         {"", "C", "CET", "CE-1", "CET-1CEST", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1x,",
          "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0",
          "CET-1CEST,M3.5.0,M10.5.0/", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-200", "<+03-3",
          "CET-1CEST,J0,J300", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,366,J3", ":foo"})
        EXPECT_FALSE(PosixTimeRule::parse(text)) << text;
}

}  // namespace
}  // namespace adtally::domain
