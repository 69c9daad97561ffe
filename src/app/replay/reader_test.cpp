#include "app/replay/reader.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <set>

#include "app/replay/test_support.hpp"
#include "domain/codec.hpp"
#include "domain/validation.hpp"

namespace adtally::replay {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view shared_data = "../shared/data/";

boost::json::object as_object(const ReplayEvent& event) {
    return boost::json::parse(event.json).as_object();
}

std::string text(const ReplayEvent& event, const char* member) {
    return boost::json::value_to<std::string>(as_object(event).at(member));
}

std::string ipinyou_row(std::string_view type, std::string_view agent) {
    std::string row = "49b5a58c\t20131021192300738\t";
    row += type;
    row += "\tC4NDR12\t";
    row += agent;
    row +=
        "\t222.218.230.*\t238\t246\t1\td\tu\tnull\ts\t300\t250\tFirstView\tNa\t0\t10722\t294"
        "\t201\tnull\t2821\t10063\n";
    return row;
}

TEST(IpinyouReader, MapsAnImpression) {
    TemporaryFile file{ipinyou_row("1", "Mozilla/4.0")};
    ReadAll all = read_all(Format::ipinyou, file.path());
    ASSERT_THAT(all.events, SizeIs(1));
    EXPECT_EQ(all.events[0].json,
              R"({"event_id":"49b5a58c","type":"impression","ad_id":10722,"campaign_id":2821,)"
              R"("session_id":"C4NDR12","timestamp":"2013-10-21T11:23:00.738Z",)"
              R"("cost_micros":201,"user_agent":"Mozilla/4.0","ip":"222.218.230.0"})");
    EXPECT_EQ(all.events[0].time.value, 1'382'354'580'738);
}

TEST(IpinyouReader, AClickCostsNothing) {
    TemporaryFile file{ipinyou_row("2", "Mozilla/4.0")};
    ReadAll all = read_all(Format::ipinyou, file.path());
    ASSERT_THAT(all.events, SizeIs(1));
    EXPECT_EQ(text(all.events[0], "type"), "click");
    EXPECT_FALSE(as_object(all.events[0]).contains("cost_micros"));
}

TEST(IpinyouReader, CleansUserAgents) {
    TemporaryFile file{ipinyou_row("1", "a\xFF\x01" + std::string(2'000, 'x'))};
    ReadAll all = read_all(Format::ipinyou, file.path());
    ASSERT_THAT(all.events, SizeIs(1));
    std::string agent = text(all.events[0], "user_agent");
    EXPECT_THAT(agent, ::testing::StartsWith("a\xEF\xBF\xBD x"));
    EXPECT_EQ(agent.size(), domain::limits::user_agent_bytes);
}

TEST(IpinyouReader, NamesTheLineOfABadRowAndGoesOn) {
    TemporaryFile file{"only\tthree\tcolumns\n" + ipinyou_row("9", "x") + ipinyou_row("1", "x")};
    ReadAll all = read_all(Format::ipinyou, file.path());
    EXPECT_THAT(all.events, SizeIs(1));
    ASSERT_THAT(all.errors, SizeIs(2));
    EXPECT_THAT(all.errors[0], HasSubstr(":1: 3 tab-separated columns"));
    EXPECT_THAT(all.errors[1], HasSubstr(":2: "));
}

constexpr std::string_view bandit_sample =
    "timestamp,item_id,position,click,propensity_score\n"
    "2019-11-24 00:01:29.788335+00:00,36,1,0,0.02\n"
    "2019-11-24 08:01:43+00:00,44,1,1,0.02\n";

TEST(OpenBanditReader, ARowIsAnImpressionAndMaybeAClick) {
    TemporaryFile file{bandit_sample};
    ReadAll all = read_all(Format::openbandit, file.path());
    ASSERT_THAT(all.events, SizeIs(3));
    EXPECT_EQ(text(all.events[0], "type"), "impression");
    EXPECT_EQ(as_object(all.events[0]).at("ad_id"), 37);
    EXPECT_EQ(as_object(all.events[0]).at("campaign_id"), 1);
    EXPECT_EQ(text(all.events[0], "timestamp"), "2019-11-24T00:01:29.788Z");
    EXPECT_THAT(text(all.events[0], "event_id"), ::testing::StartsWith("obd-1-"));
    EXPECT_EQ(text(all.events[2], "type"), "click");
    EXPECT_EQ(text(all.events[1], "event_id"), text(all.events[2], "event_id"));
}

TEST(OpenBanditReader, IdsAreTheSameInReverse) {
    TemporaryFile file{bandit_sample};
    ReadAll forward = read_all(Format::openbandit, file.path());
    ReadAll backward = read_all(Format::openbandit, file.path(), {.reverse = true});
    ASSERT_THAT(backward.events, SizeIs(3));
    EXPECT_EQ(backward.events[2].json, forward.events[0].json);
    EXPECT_EQ(backward.events[0].json, forward.events[1].json);
}

TEST(OpenBanditReader, RefusesAFileWithoutItsColumns) {
    TemporaryFile file{"a,b\n1,2\n"};
    ReadAll all = read_all(Format::openbandit, file.path());
    EXPECT_THAT(all.events, SizeIs(0));
    ASSERT_THAT(all.errors, SizeIs(1));
    EXPECT_THAT(all.errors[0], HasSubstr("item_id"));
}

TEST(NdjsonReader, LeavesACompleteEventAsItIs) {
    std::string_view line = R"({"type":"click", "ad_id":"7","campaign_id":1,"event_id":"e1"})";
    TemporaryFile file{std::string(line) + "\r\n\n"};
    ReadAll all = read_all(Format::ndjson, file.path());
    ASSERT_THAT(all.events, SizeIs(1));
    EXPECT_EQ(all.events[0].json, line);
    EXPECT_EQ(all.events[0].time.value, 0);
}

TEST(NdjsonReader, GivesEveryEventAnIdBeforeItIsSent) {
    TemporaryFile file{"{\"type\":\"click\"}\n{\"type\":\"click\"}\n"};
    ReadAll all = read_all(Format::ndjson, file.path());
    ASSERT_THAT(all.events, SizeIs(2));
    EXPECT_TRUE(domain::is_event_id(text(all.events[0], "event_id")));
    EXPECT_NE(text(all.events[0], "event_id"), text(all.events[1], "event_id"));
}

TEST(NdjsonReader, ShiftsEveryKindOfTimestamp) {
    TemporaryFile file{
        "{\"event_id\":\"a\",\"timestamp\":\"2024-01-15T14:03:22.123+02:00\"}\n"
        "{\"event_id\":\"b\",\"timestamp\":1705320202123}\n"
        "{\"event_id\":\"c\",\"timestamp\":\"1705320202123\"}\n"};
    ReadAll all = read_all(Format::ndjson, file.path(), {.shift_ms = 1'000});
    ASSERT_THAT(all.events, SizeIs(3));
    EXPECT_EQ(text(all.events[0], "timestamp"), "2024-01-15T12:03:23.123Z");
    EXPECT_EQ(text(all.events[1], "timestamp"), "2024-01-15T12:03:23.123Z");
    EXPECT_EQ(text(all.events[2], "timestamp"), "2024-01-15T12:03:23.123Z");
}

TEST(NdjsonReader, PrefixesIds) {
    TemporaryFile file{"{\"event_id\":\"a\"}\n"};
    ReadAll all = read_all(Format::ndjson, file.path(), {.event_id_prefix = "run7-"});
    ASSERT_THAT(all.events, SizeIs(1));
    EXPECT_EQ(text(all.events[0], "event_id"), "run7-a");
}

TEST(NdjsonReader, ReportsWhatIsNoObject) {
    TemporaryFile file{"nonsense\n[1]\n{\"event_id\":\"a\"}\n"};
    ReadAll all = read_all(Format::ndjson, file.path());
    EXPECT_THAT(all.events, SizeIs(1));
    ASSERT_THAT(all.errors, SizeIs(2));
    EXPECT_THAT(all.errors[1], HasSubstr(":2: not a JSON object"));
}

TEST(CleanText, KeepsWellFormedTextAndReplacesTheRest) {
    EXPECT_EQ(clean_text("Gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80", 100),
              "Gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80");
    EXPECT_EQ(clean_text("\xC0\xAF", 100), "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
    EXPECT_EQ(clean_text("\xED\xA0\x80", 3), "\xEF\xBF\xBD");            // surrogate
    EXPECT_EQ(clean_text("a\tb\x7F", 100), "a b ");
    EXPECT_EQ(clean_text("a\xC3\xBC", 2), "a");
}

// Everything that a reader makes must be an event that a collector takes.
void expect_all_valid(const ReadAll& all) {
    domain::Decoder decoder;
    domain::Event event;
    std::size_t refused = 0;
    for (const ReplayEvent& one : all.events) {
        auto rejection = decoder.decode_client(one.json, 0, domain::UnknownFields::reject,
                                               SystemClock{}.wall(), event);
        refused += rejection.has_value() ? 1 : 0;
        EXPECT_FALSE(rejection && refused < 3) << rejection->message << ": " << one.json;
    }
    EXPECT_EQ(refused, 0u);
    EXPECT_THAT(all.errors, SizeIs(0));
}

TEST(RealLogs, Ipinyou) {
    std::string folder{shared_data};
    std::string impressions = folder + "ipinyou_imp.20131021.adv2821.limit1000.txt";
    if (!std::filesystem::exists(impressions)) {
        GTEST_SKIP() << "the iPinYou logs are not in " << folder;
    }
    ReadAll shown = read_all(Format::ipinyou, impressions);
    ReadAll clicked = read_all(Format::ipinyou, folder + "ipinyou_clk.20131021.adv2821.txt");
    EXPECT_THAT(shown.events, SizeIs(10'000));
    EXPECT_THAT(clicked.events, SizeIs(442));
    expect_all_valid(shown);
    expect_all_valid(clicked);
    std::set<std::string> ids;
    std::int64_t cost = 0;
    for (const ReplayEvent& event : shown.events) {
        if (ids.insert(text(event, "event_id")).second) {
            cost += as_object(event).at("cost_micros").as_int64();
        }
    }
    EXPECT_THAT(ids, SizeIs(9'960));
    EXPECT_EQ(cost, 873'434);
}

TEST(RealLogs, OpenBandit) {
    std::string file = std::string(shared_data) + "obd_bts_women.csv";
    if (!std::filesystem::exists(file)) {
        GTEST_SKIP() << "the Open Bandit log is not there: " << file;
    }
    ReadAll all = read_all(Format::openbandit, file);
    EXPECT_THAT(all.events, SizeIs(10'046));
    expect_all_valid(all);
    std::set<std::string> ids;
    for (const ReplayEvent& event : all.events) {
        ids.insert(text(event, "type") + text(event, "event_id"));
    }
    EXPECT_THAT(ids, SizeIs(10'046));
}

}  // namespace
}  // namespace adtally::replay
