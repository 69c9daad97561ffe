#include "app/demo/table.hpp"

#include <gmock/gmock.h>

#include "app/demo/demo.hpp"
#include "app/demo/snapshot.hpp"

namespace adtally::demo {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Snapshot, ReadsTheTopAds) {
    auto rows = parse_top(
        R"({"by":"impressions","ads":[{"ad_id":"1","impressions":123,"clicks":4,"conversions":0,
        "ctr":0.032520,"cpc":0.25,"cpm":8.1,"cost":1.0,"cost_nanos":"1000000000"},
        {"ad_id":"2","impressions":0,"clicks":0,"ctr":null,"cpc":null,"cpm":null,"cost":0}]})");
    ASSERT_TRUE(rows);
    ASSERT_THAT(rows.value(), SizeIs(2));
    EXPECT_EQ(rows.value()[0].ad_id, "1");
    EXPECT_EQ(rows.value()[0].impressions, 123);
    EXPECT_DOUBLE_EQ(*rows.value()[0].ctr, 0.03252);
    EXPECT_EQ(rows.value()[1].ctr, std::nullopt);
}

TEST(Snapshot, ReadsTheBooksAndAddsUpTheLag) {
    auto row = parse_status(
        R"({"accepted":10,"appended":10,"processed":9,"counted":7,"duplicates":2,
        "dead_lettered":0,"in_flight":1,"balanced":true,"partitions":[
        {"partition":0,"end":6,"processed":5,"lag":1},{"partition":1,"end":4,"processed":2,"lag":2}]})");
    ASSERT_TRUE(row);
    EXPECT_EQ(row.value().counted, 7);
    EXPECT_EQ(row.value().lag, 3);
    EXPECT_TRUE(row.value().balanced);
}

TEST(Snapshot, SaysWhenAnAnswerIsSomethingElse) {
    EXPECT_FALSE(parse_top("<html>"));
    EXPECT_FALSE(parse_top("{}"));
    EXPECT_FALSE(parse_anomalies(R"({"anomalies":5})"));
    EXPECT_FALSE(parse_status("[]"));
}

TEST(Compact, KeepsToItsWidth) {
    EXPECT_EQ(compact(950, 9), "950");
    EXPECT_EQ(compact(1'234'567, 9), "1,234,567");
    EXPECT_EQ(compact(12'345'678, 9), "12345.7 k");
    EXPECT_EQ(compact(-1'234, 9), "-1,234");
    for (std::int64_t number = 1; number < 1'000'000'000'000'000'000; number = number * 7 + 3) {
        EXPECT_LE(compact(number, 7).size(), 7u) << number;
    }
}

Snapshot busy() {
    Snapshot snapshot;
    snapshot.ads.push_back(AdRow{"101", 12'345, 150, 3, 0.0122, 0.1975, 2.4, 29.6});
    snapshot.ads.push_back(AdRow{"9223372036854775807", 900'000'000'000'000'000,
                                 900'000'000'000'000'000, 0, 1.0, 9e12, 9e15, 9e15});
    snapshot.anomalies.push_back(AnomalyRow{"session_clicks", "session", std::string(128, 's'),
                                            "OPEN", "11", "10", "2024-01-15T14:03:22.123Z"});
    snapshot.pipeline.accepted = 900'000'000'000'000'000;
    snapshot.pipeline.counted = 900'000'000'000'000'000;
    return snapshot;
}

TEST(Table, ShowsAdsTotalsAndAnomaliesIn80Columns) {
    Heading heading{.seconds_up = 83,
                    .events_per_second = 201.4,
                    .trouble = "/api/pipeline/status answers 503, and this goes on and on"};
    auto lines = render_table(busy(), heading);
    EXPECT_THAT(lines[0], HasSubstr("up 00:01:23   201 events/s"));
    EXPECT_THAT(lines, Contains(HasSubstr("Running shoes")));
    EXPECT_THAT(lines, Contains(HasSubstr("1.22 %")));
    EXPECT_THAT(lines, Contains(HasSubstr("14:03:22 OPEN")));
    EXPECT_THAT(lines, Contains(HasSubstr("100.00 %   9.0 T   9.0 P  9000.0 T")));
    for (const std::string& line : lines) {
        EXPECT_LE(line.size(), table_width) << line;
    }
}

TEST(Table, UndefinedRatiosAreADash) {
    Snapshot snapshot;
    snapshot.ads.push_back(AdRow{.ad_id = "101", .impressions = 1});
    auto lines = render_table(snapshot, {});
    EXPECT_THAT(lines, Contains(HasSubstr(" -       -       -")));
    EXPECT_THAT(lines, Contains(HasSubstr("none yet")));
}

TEST(Hint, NamesThePortsOfThisRun) {
    auto lines = render_hint("http://127.0.0.1:8185", "6479");
    EXPECT_THAT(lines, Contains(HasSubstr("curl http://127.0.0.1:8185/api/events")));
    EXPECT_THAT(lines, Contains(HasSubstr("redis-cli -p 6479 get ad:metrics:1:impressions")));
    for (const std::string& line : lines) {
        EXPECT_LE(line.size(), table_width) << line;
    }
}

TEST(Sample, ShipsWithTheProject) {
    EXPECT_THAT(find_sample(), ::testing::EndsWith("deploy/sample/events.ndjson"));
}

}  // namespace
}  // namespace adtally::demo
