#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "domain/test_support.hpp"

namespace adtally::domain {
namespace {

using testing::canonical;
using testing::Decoding;
using testing::event_with;
using testing::now;

TEST(Encoder, TheExampleHasTheseBytes) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(testing::example));
    decoding.event.received_at = now;
    EXPECT_EQ(
        canonical(decoding.event),
        R"({"event_id":"0190b6f3-7c1e-7a5b-9c0d-2f4e8a1b3c5d","type":"impression","ad_id":1,)"
        R"("campaign_id":1,"publisher_id":12,"slot_id":345,"session_id":"s-8f14e45f",)"
        R"("user_id":"u-77","timestamp":"2024-01-15T14:03:22.123Z","cost_micros":2500,)"
        R"("currency":"USD","page_url":"https://example.org/a","user_agent":"Mozilla/5.0",)"
        R"("ip":"203.0.113.7","attributes":{"k":"v"},"received_at":"2024-01-15T14:03:30.000Z",)"
        R"("schema":1})");
}

TEST(Encoder, LeavesOutWhatIsAbsentAndKeepsACostOfZero) {
    Event event;
    event.event_id = "e";
    event.type = EventType::conversion;
    event.ad_id = AdId{9'223'372'036'854'775'807};
    event.campaign_id = CampaignId{2};
    event.timestamp = now;
    event.received_at = now;
    const std::string rest =
        R"("currency":"USD","received_at":"2024-01-15T14:03:30.000Z","schema":1})";
    const std::string begin =
        R"({"event_id":"e","type":"conversion","ad_id":9223372036854775807,"campaign_id":2,)"
        R"("timestamp":"2024-01-15T14:03:30.000Z",)";
    EXPECT_EQ(canonical(event), begin + rest);
    event.has_cost = true;
    EXPECT_EQ(canonical(event), begin + R"("cost_micros":0,)" + rest);
    event.value = Micros{5};
    EXPECT_EQ(canonical(event), begin + R"("cost_micros":0,"value_micros":5,)" + rest);
}

TEST(Encoder, WhatItWritesIsReadBackTheSame) {
    Decoding decoding;
    ASSERT_FALSE(decoding.client(
        event_with(R"(,"event_id":"a","timestamp":1705327402123,"cost_micros":0,"value_micros":7,)"
                   R"("currency":"JPY",)"
                   R"("user_agent":"é \"quoted\" \\ 😀",)"
                   R"("attributes":{"z":"\\","a":"","é":"\""})")));
    decoding.event.received_at = now;
    const std::string first = canonical(decoding.event);
    Decoding again;
    ASSERT_FALSE(again.stored(first));
    EXPECT_EQ(canonical(again.event), first);
    EXPECT_EQ(again.event.user_agent, "é \"quoted\" \\ 😀");
}

TEST(Encoder, Appends) {
    Event event;
    event.event_id = "e";
    std::string text = "before ";
    append_canonical(event, text);
    append_rfc3339(now, text);
    EXPECT_EQ(text.substr(0, 8), "before {");
    EXPECT_EQ(text.substr(text.size() - 25), "}2024-01-15T14:03:30.000Z");
}

TEST(Encoder, EveryCharacterSurvivesAnotherParser) {
    std::string all;
    for (int code = 0; code < 128; ++code)
        all += static_cast<char>(code);
    all += "é€😀";
    for (std::size_t shift = 0; shift < 9; ++shift) {
        std::string text = std::string(shift, 'x') + all;
        std::string json;
        append_json_string(text, json);
        EXPECT_EQ(boost::json::parse(json).as_string(), text);
    }
    std::string empty;
    append_json_string({}, empty);
    EXPECT_EQ(empty, "\"\"");
}

TEST(Encoder, WritesTimes) {
    auto written = [](std::int64_t time) {
        std::string text;
        append_rfc3339(TimestampMs{time}, text);
        return text;
    };
    EXPECT_EQ(written(0), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(written(-1), "1969-12-31T23:59:59.999Z");
    EXPECT_EQ(written(951'782'400'007), "2000-02-29T00:00:00.007Z");
    EXPECT_EQ(written(limits::max_timestamp_ms), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(written(limits::min_timestamp_ms), "2000-01-01T00:00:00.000Z");
    EXPECT_EQ(written(limits::max_timestamp_ms + 1), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(written(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace adtally::domain
