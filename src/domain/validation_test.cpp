#include <gmock/gmock.h>
#include <random>

#include "domain/event_fields.hpp"
#include "domain/test_support.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

using ::testing::ElementsAre;
using testing::now;
using testing::outcome;
using ::testing::Pair;

std::int64_t rfc3339(std::string_view text) {
    auto time = parse_rfc3339(text);
    return time ? time->value : -1;
}

TEST(Rfc3339, ReadsOffsetsAndFractions) {
    const std::int64_t moment = 1'705'327'402'000;
    EXPECT_EQ(rfc3339("2024-01-15T14:03:22Z"), moment);
    EXPECT_EQ(rfc3339("2024-01-15t14:03:22z"), moment);
    EXPECT_EQ(rfc3339("2024-01-15T16:03:22+02:00"), moment);
    EXPECT_EQ(rfc3339("2024-01-15T08:33:22-05:30"), moment);
    EXPECT_EQ(rfc3339("2024-01-16T13:58:22+23:55"), moment);
    EXPECT_EQ(rfc3339("2024-01-15T14:03:22-00:00"), moment);
    EXPECT_EQ(rfc3339("2024-01-15T14:03:22.1Z"), moment + 100);
    EXPECT_EQ(rfc3339("2024-01-15T14:03:22.12Z"), moment + 120);
    EXPECT_EQ(rfc3339("2024-01-15T14:03:22.123999999999999999999Z"), moment + 123);
    EXPECT_EQ(rfc3339("2016-12-31T23:59:60Z"), 1'483'228'799'000);
    EXPECT_EQ(rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000);
    EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59.5Z")->value, -500);
}

TEST(Rfc3339, RefusesEverythingElse) {
    for (const char* text : {"",
                             "2024",
                             "2024-01-15",
                             "2024-01-15T14:03:22",
                             "2024-01-15T14:03Z",
                             "2024-01-15 14:03:22Z",
                             "2024-13-15T14:03:22Z",
                             "2024-00-15T14:03:22Z",
                             "2023-02-29T14:03:22Z",
                             "2024-01-32T14:03:22Z",
                             "2024-01-15T24:00:00Z",
                             "2024-01-15T14:60:00Z",
                             "2024-01-15T14:03:61Z",
                             "2024-01-15T14:03:22.Z",
                             "2024-01-15T14:03:22+0200",
                             "2024-01-15T14:03:22+24:00",
                             "2024-01-15T14:03:22+02:60",
                             "2024-01-15T14:03:22Zz",
                             "2024-01-15T14:03:22ZZ",
                             " 2024-01-15T14:03:22Z",
                             "24-01-15T14:03:22Z",
                             "2024-1-15T14:03:22Z",
                             "+2024-01-15T14:03:22Z",
                             "2024-01-15T14:03:22+",
                             "2024-01-15T-4:03:22Z",
                             "2024-01-15T14:03:22,5Z"})
        EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(Rfc3339, ReadsWhatTheEncoderWrites) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    std::uniform_int_distribution<std::int64_t> times{limits::min_timestamp_ms,
                                                      limits::max_timestamp_ms};
    for (int round = 0; round < 100'000; ++round) {
        TimestampMs time{times(random)};
        std::string text;
        append_rfc3339(time, text);
        ASSERT_EQ(parse_rfc3339(text), time) << text;
    }
}

TEST(Decimal, IsDigitsOnly) {
    EXPECT_EQ(parse_decimal("0"), 0);
    EXPECT_EQ(parse_decimal("17"), 17);
    EXPECT_EQ(parse_decimal("9223372036854775807"), INT64_MAX);
    for (const char* text : {"", "-1", "-0", "+1", "01", "00", " 1", "1 ", "1.0", "1e1", "0x1",
                             "9223372036854775808", "18446744073709551617", "a"})
        EXPECT_FALSE(parse_decimal(text)) << text;
}

TEST(Printable, IsUtf8WithoutControls) {
    for (const char* text : {"", "a", "é€😀", "\"\\", "line of text ~"})
        EXPECT_TRUE(is_printable_utf8(text)) << text;
    for (const char* text : {"\n", "a\tb", "abcdefgh\x1F", "\x7F", "\xFF", "\xC0\x80",
                             "\xED\xA0\x80", "\xE2\x82", "\"\n", "\\\\\\\\\\\\\\\\\x01"})
        EXPECT_FALSE(is_printable_utf8(text));
    EXPECT_FALSE(is_printable_utf8(std::string_view("a\0b", 3)));
}

TEST(TextScan, FindsTheFirstSpecialByteAnywhere) {
    for (int code = 0; code < 256; ++code) {
        for (std::size_t length = 0; length < 20; ++length) {
            for (std::size_t place = 0; place < length; ++place) {
                // Neighbours next to every limit: a borrow must not mark them.
                std::string text(length, code % 2 == 0 ? '\x21' : '\x80');
                text[place] = static_cast<char>(code);
                const char* end = text.data() + text.size();
                const char* expected = is_special_byte(text[place]) ? text.data() + place : end;
                ASSERT_EQ(find_special(text.data(), end), expected) << code << " at " << place;
            }
        }
    }
}

TEST(SetField, FollowsTheRulesOfJson) {
    Event event;
    EXPECT_EQ(outcome(set_field(event, "ad_id", "17")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "campaign_id", "4")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "type", "conversion")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "timestamp", "1705327402123")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "cost_micros", "0")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "ip", "::1")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "session_id", "")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "attributes.a", "1")), "accepted");
    EXPECT_EQ(outcome(set_field(event, "attr.b", "")), "accepted");
    EXPECT_EQ(event.ad_id, AdId{17});
    EXPECT_EQ(event.type, EventType::conversion);
    EXPECT_EQ(event.timestamp, TimestampMs{1'705'327'402'123});
    EXPECT_TRUE(event.has_cost);
    EXPECT_THAT(event.attributes, ElementsAre(Pair("a", "1"), Pair("b", "")));

    EXPECT_EQ(outcome(set_field(event, "ad_id", "0")), "out_of_range ad_id");
    EXPECT_EQ(outcome(set_field(event, "ad_id", "1.5")), "invalid_value ad_id");
    EXPECT_EQ(outcome(set_field(event, "ad_id", "")), "invalid_value ad_id");
    EXPECT_EQ(outcome(set_field(event, "event_id", "")), "invalid_value event_id");
    EXPECT_EQ(outcome(set_field(event, "user_id", "a\n")), "invalid_value user_id");
    EXPECT_EQ(outcome(set_field(event, "user_id", "\xFF")), "invalid_value user_id");
    EXPECT_EQ(outcome(set_field(event, "attr.a", "2")), "duplicate_field attributes");
    EXPECT_EQ(outcome(set_field(event, "attr.", "2")), "invalid_value attributes");
    EXPECT_EQ(outcome(set_field(event, "attributes", "2")), "wrong_type attributes");
    EXPECT_EQ(outcome(set_field(event, "schema", "1")), "unknown_field schema");
    EXPECT_EQ(outcome(set_field(event, "received_at", "1")), "unknown_field received_at");
    EXPECT_EQ(outcome(set_field(event, "a\nb", "1")), "unknown_field a?b");
}

TEST(CheckComplete, NamesWhatIsMissing) {
    Event event;
    EXPECT_EQ(outcome(check_complete(event, false, now)), "missing_field type");
    EXPECT_EQ(outcome(check_complete(event, true, now)), "missing_field ad_id");
    event.ad_id = AdId{1};
    EXPECT_EQ(outcome(check_complete(event, true, now)), "missing_field campaign_id");
    event.campaign_id = CampaignId{1};
    EXPECT_EQ(outcome(check_complete(event, true, now)), "accepted");
    event.timestamp = TimestampMs{now.value + limits::future_ms + 1};
    EXPECT_EQ(outcome(check_complete(event, true, now)), "future_timestamp timestamp");
}

TEST(Currency, IsAnIsoCode) {
    for (const char* code : {"AED", "USD", "EUR", "JPY", "XCG", "ZWG"})
        EXPECT_TRUE(is_currency(code)) << code;
    for (const char* code :
         {"", "US", "USDX", "usd", "ZZZ", "AAA", "XXX", "XTS", "US1", "\xFF\xFF\xFF"})
        EXPECT_FALSE(is_currency(code)) << code;
}

TEST(FieldNames, AreFound) {
    for (int index = 0; index < static_cast<int>(Field::unknown); ++index) {
        Field field = static_cast<Field>(index);
        EXPECT_EQ(find_field(name_of(field)), field) << name_of(field);
    }
    EXPECT_EQ(find_field(""), Field::unknown);
}

}  // namespace
}  // namespace adtally::domain
