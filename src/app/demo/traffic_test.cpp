#include "app/demo/traffic.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <map>
#include <set>

#include "domain/codec.hpp"

namespace adtally::demo {
namespace {

namespace json = boost::json;

constexpr TimestampMs noon{1'705'320'000'000};  // 2024-01-15T12:00:00Z

std::vector<json::object> stream(Traffic& traffic, std::int64_t from_ms, std::int64_t to_ms) {
    std::string lines;
    for (std::int64_t at = from_ms; at <= to_ms; at += 50) {
        traffic.advance(TimestampMs{noon.value + at}, lines);
    }
    std::vector<json::object> events;
    std::size_t start = 0;
    while (start < lines.size()) {
        std::size_t end = lines.find('\n', start);
        events.push_back(json::parse(lines.substr(start, end - start)).as_object());
        start = end + 1;
    }
    return events;
}

TEST(Traffic, EveryEventIsOneThatACollectorTakes) {
    Traffic traffic{1, "t-", 200};
    domain::Decoder decoder;
    domain::Event event;
    std::set<std::string> ids;
    auto events = stream(traffic, 0, 60'000);
    ASSERT_GT(events.size(), 1'000u);
    for (const json::object& one : events) {
        std::string text = json::serialize(one);
        auto rejection = decoder.decode_client(text, 0, domain::UnknownFields::reject,
                                               TimestampMs{noon.value + 60'000}, event);
        ASSERT_FALSE(rejection) << rejection->message << ": " << text;
        ids.insert(std::string(event.event_id));
    }
    EXPECT_EQ(ids.size(), events.size());
}

TEST(Traffic, KeepsItsRate) {
    Traffic traffic{1, "t-", 200};
    auto events = stream(traffic, 0, 60'000);
    // Noon is 1.1 times the rate; clicks come on top of impressions.
    double rate = static_cast<double>(events.size()) / 60;
    EXPECT_GT(rate, 190);
    EXPECT_LT(rate, 260);
}

TEST(Traffic, TheSameSeedGivesTheSameStream) {
    Traffic one{7, "t-", 200}, two{7, "t-", 200};
    EXPECT_EQ(stream(one, 0, 5'000), stream(two, 0, 5'000));
}

TEST(Traffic, ABotClicksMoreThanTenTimesInItsSession) {
    Traffic traffic{1, "t-", 200};
    std::map<std::string, int> clicks;
    for (const json::object& event : stream(traffic, 0, 10'000)) {
        if (event.at("type") == "click") {
            ++clicks[std::string(event.at("session_id").as_string().c_str())];
        }
    }
    int most = 0;
    for (const auto& [session, count] : clicks) {
        most = std::max(most, count);
        EXPECT_TRUE(count <= 10 || session.starts_with("bot-")) << session << " " << count;
    }
    EXPECT_GT(most, 10);
}

TEST(Traffic, TheSuspiciousAdPassesTenPercentWithinFiveMinutesAndOnlyIt) {
    Traffic traffic{1, "t-", 200};
    stream(traffic, 0, 300'000);  // a window of normal life before the second phase
    std::map<std::int64_t, std::pair<double, double>> by_ad;
    for (const json::object& event : stream(traffic, 300'050, 460'000)) {
        auto& [impressions, clicks] = by_ad[event.at("ad_id").as_int64()];
        impressions += event.at("type") == "impression" ? 1 : 0;
        bool bot = event.at("session_id").as_string().starts_with("bot-");
        clicks += event.at("type") == "click" && !bot ? 1 : 0;
    }
    ASSERT_EQ(by_ad.size(), demo_ads().size());
    for (const auto& [ad, counts] : by_ad) {
        double rate = counts.second / counts.first;
        EXPECT_EQ(rate > 0.1, ad == 107) << ad << ": " << rate;
    }
}

TEST(Traffic, APauseIsNotMadeUpFor) {
    Traffic traffic{1, "t-", 200};
    std::string lines;
    traffic.advance(noon, lines);
    EXPECT_LT(traffic.advance(TimestampMs{noon.value + 3'600'000}, lines), 400u);
}

TEST(Traffic, NightIsQuieterThanEvening) {
    TimestampMs night{noon.value - 9 * 3'600'000};
    TimestampMs evening{noon.value + 8 * 3'600'000};
    EXPECT_DOUBLE_EQ(Traffic::day_curve(night), 0.35);
    EXPECT_DOUBLE_EQ(Traffic::day_curve(evening), 1.30);
}

}  // namespace
}  // namespace adtally::demo
