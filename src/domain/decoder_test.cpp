#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <array>

#include "domain/test_support.hpp"

namespace adtally::domain {
namespace {

using testing::client_outcome;
using testing::Decoding;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::event_with;
using ::testing::HasSubstr;
using testing::now;
using ::testing::Pair;
using testing::stored_outcome;

TEST(Decoder, ReadsTheExample) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(testing::example));
    const Event& event = decoding.event;
    EXPECT_EQ(event.event_id, "0190b6f3-7c1e-7a5b-9c0d-2f4e8a1b3c5d");
    EXPECT_EQ(event.type, EventType::impression);
    EXPECT_EQ(event.ad_id, AdId{1});
    EXPECT_EQ(event.campaign_id, CampaignId{1});
    EXPECT_EQ(event.publisher_id, PublisherId{12});
    EXPECT_EQ(event.slot_id, SlotId{345});
    EXPECT_EQ(event.session_id, "s-8f14e45f");
    EXPECT_EQ(event.user_id, "u-77");
    EXPECT_EQ(event.timestamp, TimestampMs{1'705'327'402'123});
    EXPECT_EQ(event.cost, Micros{2500});
    EXPECT_TRUE(event.has_cost);
    EXPECT_EQ(event.value, Micros{0});
    EXPECT_EQ(event.currency, "USD");
    EXPECT_EQ(event.page_url, "https://example.org/a");
    EXPECT_EQ(event.user_agent, "Mozilla/5.0");
    EXPECT_EQ(event.ip, "203.0.113.7");
    EXPECT_THAT(event.attributes, ElementsAre(Pair("k", "v")));
}

TEST(Decoder, TakesTheLeastThatIsAnEvent) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(event_with("")));
    EXPECT_EQ(decoding.event.event_id, "");
    EXPECT_EQ(decoding.event.timestamp, TimestampMs{0});
    EXPECT_FALSE(decoding.event.has_cost);
    EXPECT_EQ(decoding.event.currency, "USD");
}

TEST(Decoder, ForgetsTheEventBefore) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(testing::example));
    ASSERT_FALSE(decoding.client(event_with("")));
    EXPECT_EQ(decoding.event.session_id, "");
    EXPECT_FALSE(decoding.event.has_cost);
    EXPECT_TRUE(decoding.event.attributes.empty());
}

TEST(Decoder, RequiresTypeAdAndCampaign) {
    EXPECT_EQ(client_outcome("{}"), "missing_field type");
    EXPECT_EQ(client_outcome(R"({"type":"click"})"), "missing_field ad_id");
    EXPECT_EQ(client_outcome(R"({"type":"click","ad_id":1})"), "missing_field campaign_id");
    EXPECT_EQ(client_outcome(R"({"ad_id":1,"campaign_id":1})"), "missing_field type");
    EXPECT_EQ(client_outcome(R"({"type":null,"ad_id":1,"campaign_id":1})"), "wrong_type type");
    EXPECT_EQ(client_outcome(R"({"type":"click","ad_id":null})"), "wrong_type ad_id");
}

TEST(Decoder, NullAndEmptyTextsAreAbsent) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(event_with(
        R"(,"event_id":null,"publisher_id":null,"timestamp":null,"cost_micros":null,"ip":"",)"
        R"("currency":null,"attributes":null,"session_id":"","user_id":"","page_url":"")")));
    EXPECT_FALSE(decoding.event.has_cost);
    EXPECT_EQ(decoding.event.currency, "USD");
    EXPECT_EQ(client_outcome(event_with(R"(,"event_id":"")")), "invalid_value event_id");
    EXPECT_EQ(client_outcome(event_with(R"(,"currency":"")")), "invalid_value currency");
}

TEST(Decoder, IntegersAreIntegersOrDecimalStrings) {
    auto ad_id = [](std::string value) {
        return client_outcome(R"({"type":"click","campaign_id":1,"ad_id":)" + value + "}");
    };
    for (const char* good : {"1", "9223372036854775807", "\"1\"", "\"9223372036854775807\""})
        EXPECT_EQ(ad_id(good), "accepted") << good;
    for (const char* out : {"0", "-1", "9223372036854775808", "99999999999999999999999999", "\"0\"",
                            "\"-1\"", "\"9223372036854775808\"", "-99999999999999999999999"})
        EXPECT_EQ(ad_id(out), "out_of_range ad_id") << out;
    for (const char* wrong : {"1.0", "1e3", "1E400", "true", "false", "[1]", "{}", "[]"})
        EXPECT_EQ(ad_id(wrong), "wrong_type ad_id") << wrong;
    for (const char* invalid : {"\"\"", "\"x\"", "\"1.0\"", "\"01\"", "\"+1\"", "\" 1\""})
        EXPECT_EQ(ad_id(invalid), "invalid_value ad_id") << invalid;
    for (const char* broken : {"01", "1.", "1.e3", "-", "1x", "1.2.3", "tru", "nul", "falsey"})
        EXPECT_THAT(ad_id(broken), ::testing::StartsWith("malformed_json")) << broken;
}

TEST(Decoder, EachFieldHasItsRange) {
    auto with = [](std::string member) { return client_outcome(event_with("," + member)); };
    EXPECT_EQ(with(R"("publisher_id":0)"), "out_of_range publisher_id");
    EXPECT_EQ(with(R"("slot_id":-1)"), "out_of_range slot_id");
    EXPECT_EQ(with(R"("slot_id":"5")"), "accepted");
    EXPECT_EQ(with(R"("cost_micros":1000000000000)"), "accepted");
    EXPECT_EQ(with(R"("cost_micros":1000000000001)"), "out_of_range cost_micros");
    EXPECT_EQ(with(R"("value_micros":-1)"), "out_of_range value_micros");
    EXPECT_EQ(with(R"("value_micros":0.5)"), "wrong_type value_micros");
    EXPECT_EQ(with(R"("type":"view")").substr(0, 9), "duplicate");
    EXPECT_EQ(client_outcome(R"({"type":"view"})"), "invalid_value type");
    EXPECT_EQ(client_outcome(R"({"type":1})"), "wrong_type type");
    EXPECT_EQ(with(R"("session_id":5)"), "wrong_type session_id");
    EXPECT_EQ(with(R"("session_id":99999999999999999999)"), "wrong_type session_id");
    EXPECT_EQ(with(R"("session_id":")" + std::string(128, 's') + "\""), "accepted");
    EXPECT_EQ(with(R"("session_id":")" + std::string(129, 's') + "\""), "too_long session_id");
    EXPECT_EQ(with(R"("user_id":")" + std::string(129, 's') + "\""), "too_long user_id");
    EXPECT_EQ(with(R"("event_id":")" + std::string(65, 'e') + "\""), "too_long event_id");
    EXPECT_EQ(with(R"("event_id":"a b")"), "invalid_value event_id");
    EXPECT_EQ(with(R"("page_url":")" + std::string(2049, 'p') + "\""), "too_long page_url");
    EXPECT_EQ(with(R"("user_agent":")" + std::string(1025, 'u') + "\""), "too_long user_agent");
    EXPECT_EQ(with(R"("currency":"EUR")"), "accepted");
    EXPECT_EQ(with(R"("currency":"ZZZ")"), "invalid_value currency");
    EXPECT_EQ(with(R"("currency":"usd")"), "invalid_value currency");
    EXPECT_EQ(with(R"("ip":"2001:db8::1")"), "accepted");
    EXPECT_EQ(with(R"("ip":"::ffff:203.0.113.7")"), "accepted");
    EXPECT_EQ(with(R"("ip":"203.0.113.256")"), "invalid_value ip");
    EXPECT_EQ(with(R"("ip":"fe80::1%eth0")"), "invalid_value ip");
}

TEST(Decoder, AnAddressIsWhatTheSystemCallsOne) {
    for (const std::string address :
         {"0.0.0.0", "255.255.255.255", "10.20.30.4", "1.2.3", "1.2.3.", "1.2.3.4.", ".1.2.3",
          "1..2.3", "01.2.3.4", "1.2.3.00", "1.2.3.1234", "1.2.3.4.5", "256.2.3.4", "1.2.3.4 ",
          "1,2.3.4", "::", "1::2:3", "1.2.3.a"}) {
        std::array<unsigned char, 16> bytes;
        const bool is_address = ::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1 ||
                                ::inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1;
        EXPECT_EQ(client_outcome(event_with(R"(,"ip":")" + address + "\"")),
                  is_address ? "accepted" : "invalid_value ip")
            << address;
    }
}

TEST(Decoder, TimestampsComeInThreeForms) {
    Decoding decoding;
    for (const char* form : {R"("2024-01-15T14:03:22.123Z")", R"("2024-01-15T16:03:22.123+02:00")",
                             "1705327402123", R"("1705327402123")"}) {
        ASSERT_FALSE(decoding.client(event_with(std::string{",\"timestamp\":"} + form))) << form;
        EXPECT_EQ(decoding.event.timestamp, TimestampMs{1'705'327'402'123}) << form;
    }
    auto with = [](std::string value) {
        return client_outcome(event_with(",\"timestamp\":" + value));
    };
    EXPECT_EQ(with("1705327402"), "out_of_range timestamp");  // seconds
    EXPECT_EQ(with("1705327402123456"), "out_of_range timestamp");
    EXPECT_EQ(with("\"1999-12-31T23:59:59Z\""), "out_of_range timestamp");
    EXPECT_EQ(with("\"2024-01-15T14:03:22\""), "invalid_value timestamp");  // no offset
    EXPECT_EQ(with("\"\""), "invalid_value timestamp");
    EXPECT_EQ(with("1705327402123.5"), "wrong_type timestamp");
    EXPECT_EQ(with(std::to_string(now.value + limits::future_ms)), "accepted");
    EXPECT_EQ(with(std::to_string(now.value + limits::future_ms + 1)),
              "future_timestamp timestamp");
}

TEST(Decoder, NamesTheUnknownField) {
    Decoding decoding;
    auto rejection = decoding.client(event_with(R"(,"camp":1)"));
    EXPECT_EQ(testing::outcome(rejection), "unknown_field camp");
    EXPECT_THAT(rejection->message, HasSubstr("camp"));
    rejection = decoding.client(event_with(",\"" + std::string(500, 'x') + "\":1"));
    EXPECT_EQ(rejection->field, std::string(64, 'x') + "...");
    rejection = decoding.client(event_with(R"(,"a\u0000\u007fb":1)"));
    EXPECT_EQ(rejection->field, "a??b");
    // Names of the same length and first letter as known ones, and what the collector writes
    // itself.
    for (const char* name : {"typo", "ad_iD", "slot_ix", "user_ix", "event_ix", "received_at",
                             "schema", "", "campaign_ix", "publisher_ix"}) {
        EXPECT_EQ(client_outcome(event_with(std::string{",\""} + name + "\":1")).substr(0, 13),
                  "unknown_field")
            << name;
    }
}

TEST(Decoder, KeepsUnknownScalarsAsAttributesWhenAsked) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(event_with(R"(,"b":1.50 ,"c":true,"d":null,"e":"y")"),
                                 UnknownFields::keep));
    EXPECT_THAT(decoding.event.attributes,
                ElementsAre(Pair("b", "1.50"), Pair("c", "true"), Pair("e", "y")));
    auto keep = [](std::string member) {
        return client_outcome(event_with("," + member), UnknownFields::keep);
    };
    EXPECT_EQ(keep(R"("o":{})"), "unknown_field o");
    EXPECT_EQ(keep(R"("o":[1])"), "unknown_field o");
    EXPECT_EQ(keep(R"("received_at":1)"), "unknown_field received_at");
    EXPECT_EQ(keep(R"("schema":1)"), "unknown_field schema");
    EXPECT_EQ(keep(R"("a":1,"a":2)"), "duplicate_field attributes");
    EXPECT_EQ(keep(R"("attributes":{"a":"1"},"a":2)"), "duplicate_field attributes");
    EXPECT_EQ(keep(R"("a":"\u0000")"), "invalid_value attributes");
    EXPECT_EQ(keep(R"("a":1.)"), "malformed_json attributes");
    EXPECT_EQ(keep(R"("a":nulL)"), "malformed_json attributes");
}

TEST(Decoder, RefusesDuplicates) {
    EXPECT_EQ(client_outcome(event_with(R"(,"ad_id":7)")), "duplicate_field ad_id");
    EXPECT_EQ(client_outcome(event_with(R"(,"ip":null,"ip":null)")), "duplicate_field ip");
    EXPECT_EQ(client_outcome(event_with(R"(,"\u0061d_id":7)")), "duplicate_field ad_id");
    EXPECT_EQ(client_outcome(event_with(R"(,"attributes":{"a":"","a":""})")),
              "duplicate_field attributes");
}

TEST(Decoder, AttributesAreFlatAndBounded) {
    auto with = [](std::string object) {
        return client_outcome(event_with(",\"attributes\":" + object));
    };
    auto entries = [](int count, std::size_t value_bytes) {
        std::string object = "{";
        for (int entry = 0; entry < count; ++entry) {
            object += (entry == 0 ? "\"" : ",\"") + std::to_string(entry) + "\":\"" +
                      std::string(value_bytes, 'v') + "\"";
        }
        return object + "}";
    };
    EXPECT_EQ(with("{}"), "accepted");
    EXPECT_EQ(with(entries(32, 3)), "accepted");
    EXPECT_EQ(with(entries(33, 3)), "too_long attributes");
    EXPECT_EQ(with(entries(1, 4095)), "accepted");
    EXPECT_EQ(with(entries(1, 4096)), "too_long attributes");
    EXPECT_EQ(with(R"({"a":1})"), "wrong_type attributes");
    EXPECT_EQ(with(R"({"a":null})"), "wrong_type attributes");
    EXPECT_EQ(with(R"({"a":{"b":"c"}})"), "wrong_type attributes");
    EXPECT_EQ(with(R"({"":"x"})"), "invalid_value attributes");
    EXPECT_EQ(with(R"({"a\u0001":"x"})"), "invalid_value attributes");
    EXPECT_EQ(with(R"(["a"])"), "wrong_type attributes");
    EXPECT_EQ(with(R"("a")"), "wrong_type attributes");
}

TEST(Decoder, TextsAreUnescapedAndStayPrintable) {
    Decoding decoding;
    ASSERT_FALSE(
        decoding.client(event_with(R"(,"session_id":"a\"b\\c\/\u00e9\ud83d\ude00","user_id":"é",)"
                                   R"("attributes":{"\u006b":"\"v\""})")));
    EXPECT_EQ(decoding.event.session_id, "a\"b\\c/é😀");
    EXPECT_EQ(decoding.event.user_id, "é");
    EXPECT_THAT(decoding.event.attributes, ElementsAre(Pair("k", "\"v\"")));
    auto session = [](std::string text) {
        return client_outcome(event_with(",\"session_id\":\"" + text + "\""));
    };
    EXPECT_EQ(session(R"(a\u0000b)"), "invalid_value session_id");
    EXPECT_EQ(session(R"(a\nb)"), "invalid_value session_id");
    EXPECT_EQ(session("a\x7F"), "invalid_value session_id");
    for (const char* half : {R"(\ud800)", R"(\ud800\u0041)", R"(\ud800x)", R"(\ud800\ud800)"})
        EXPECT_NE(session(half), "accepted") << half;
    EXPECT_NE(session(R"(\udc00)"), "accepted");
    EXPECT_EQ(session(R"(\x)"), "malformed_json session_id");
    EXPECT_EQ(session(R"(\u12g4)"), "malformed_json session_id");
    EXPECT_EQ(session("\x01"), "malformed_json");
    EXPECT_EQ(session(std::string("\0", 1)), "malformed_json");
    for (const char* invalid : {"\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3"})
        EXPECT_EQ(session(invalid), "malformed_json");
}

TEST(Decoder, RefusesWhatIsNoDocument) {
    for (const char* text : {"",
                             " ",
                             "{",
                             "}",
                             "{]",
                             "{\"type\"}",
                             "{\"type\":}",
                             "{\"type\":,}",
                             "{,}",
                             "{\"a\"",
                             "{\"type\":\"click\",}",
                             "{\"type\":\"click\" \"ad_id\":1}",
                             "{type:\"click\"}",
                             "{'type':'click'}",
                             "{\"type\":\"click\"",
                             "\"type",
                             "\xEF\xBB\xBF{}",
                             "{\"type\" \"click\"}",
                             "{\"type\":\"click\"x}",
                             "{\"type\"::\"click\"}",
                             "{\"type\":\"click\":1}",
                             "{1:2}",
                             "]"})
        EXPECT_EQ(client_outcome(text), "malformed_json") << text;
    for (const char* value : {"[]", "1", "\"x\"", "null", "true", "[{}]", "-1.5"})
        EXPECT_EQ(client_outcome(value), "wrong_type") << value;
    // A second value that would swallow the rest up to an extra bracket.
    EXPECT_EQ(client_outcome(event_with(R"(,"ip":"::1":"x","user_id":{"a":1}})")),
              "malformed_json");
    EXPECT_EQ(client_outcome(event_with(R"(,"attributes":{"a":"b":"c"}})")), "malformed_json");
    for (const char* behind : {"}", "{}", ",", "x", "1", "\"x\"", "]", " {}", ":"})
        EXPECT_EQ(client_outcome(event_with("") + behind), "malformed_json") << behind;
    EXPECT_EQ(client_outcome(" \t\r\n" + event_with("") + " \t\r\n"), "accepted");
}

TEST(Decoder, DepthNeedsNoStack) {
    std::string open;
    std::string close;
    for (int depth = 0; depth < 100'000; ++depth) {
        open += "{\"a\":[";
        close += "]}";
    }
    std::string deep = open + "1" + close;
    EXPECT_EQ(client_outcome(event_with(",\"x\":" + deep)), "unknown_field x");
    EXPECT_EQ(client_outcome(event_with(",\"x\":" + deep), UnknownFields::keep), "unknown_field x");
    EXPECT_EQ(client_outcome(event_with(",\"attributes\":{\"a\":" + deep + "}")),
              "wrong_type attributes");
    EXPECT_EQ(client_outcome(event_with(",\"slot_id\":" + open)), "wrong_type slot_id");
    std::string canonical;
    Decoding decoding;
    ASSERT_FALSE(decoding.client(testing::example));
    decoding.event.received_at = now;
    append_canonical(decoding.event, canonical);
    canonical.back() = ',';
    EXPECT_EQ(stored_outcome(canonical + "\"newer\":" + deep + "}"), "accepted");
}

TEST(Decoder, StoredRecordsAreCompleteAndMayBeNewer) {
    const std::string record = R"({"event_id":"e1","type":"click","ad_id":7,"campaign_id":3,)"
                               R"("timestamp":"2024-01-15T14:03:22.123Z","currency":"USD",)"
                               R"("received_at":"2024-01-15T14:03:23.000Z","schema":1)";
    Decoding decoding;
    ASSERT_FALSE(decoding.stored(record + R"(,"newer":{"a":[1,{"b":2}]},"other":"x\u0000"})"));
    EXPECT_EQ(decoding.event.received_at, TimestampMs{1'705'327'403'000});
    EXPECT_EQ(decoding.event.event_id, "e1");

    auto without = [&](std::string member) {
        std::string shorter = record + "}";
        std::size_t at = shorter.find(member);
        EXPECT_NE(at, std::string::npos) << member;
        return stored_outcome(shorter.erase(at, member.size()));
    };
    EXPECT_EQ(without(R"("event_id":"e1",)"), "missing_field event_id");
    EXPECT_EQ(without(R"("type":"click",)"), "missing_field type");
    EXPECT_EQ(without(R"("ad_id":7,)"), "missing_field ad_id");
    EXPECT_EQ(without(R"("campaign_id":3,)"), "missing_field campaign_id");
    EXPECT_EQ(without(R"("timestamp":"2024-01-15T14:03:22.123Z",)"), "missing_field timestamp");
    EXPECT_EQ(without(R"("received_at":"2024-01-15T14:03:23.000Z",)"), "missing_field received_at");
    EXPECT_EQ(without(R"(,"schema":1)"), "missing_field schema");
    EXPECT_EQ(stored_outcome(record.substr(0, record.size() - 1) + "2}"), "out_of_range schema");
    EXPECT_EQ(stored_outcome(record), "malformed_json");
    EXPECT_EQ(stored_outcome("poison"), "malformed_json");
    EXPECT_EQ(stored_outcome(record + R"(,"newer":"a":"b"}})"), "malformed_json");
}

TEST(Decoder, AMessageEndsWithWhatIsAllowed) {
    Decoding decoding;
    auto rejection = decoding.client(event_with(R"(,"cost_micros":-1)"));
    EXPECT_THAT(rejection->message,
                EndsWith("allowed: an integer from 0 to 1000000000000, or the same as a decimal "
                         "string"));
    rejection = decoding.client(event_with(R"(,"timestamp":"2024-01-15T14:08:30.001Z")"));
    EXPECT_THAT(rejection->message, EndsWith("5 minutes ahead of 2024-01-15T14:03:30.000Z"));
}

TEST(Decoder, MayBeMoved) {
    Decoder first;
    Decoder second{std::move(first)};
    Event event;
    EXPECT_FALSE(second.decode_client(testing::example, 0, UnknownFields::reject, now, event));
}

}  // namespace
}  // namespace adtally::domain
