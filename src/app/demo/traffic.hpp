// Traffic as a small ad business sees it: eight ads in three campaigns with rates and prices of
// their own, visitors who see several ads, a day that rises and falls, and trouble now and then.
//
// Trouble, so that both anomaly rules can be watched: a click bot (more than ten clicks in one
// session) every 45 s, and for 75 s out of every six minutes one ad whose clicks are far too many.
//
// Pure: time comes in, events go out; the same seed gives the same stream. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace adtally::demo {

enum class Pricing : std::uint8_t { cpm, cpc };

struct DemoAd {
    int id;
    int campaign;
    std::string_view name;
    double share;            // of all impressions
    double click_rate;       // clicks an impression
    double conversion_rate;  // conversions a click
    Pricing pricing;
    int price_micros;  // of an impression, or of a click
};

const std::array<DemoAd, 8>& demo_ads();

class Traffic {
public:
    // `id_prefix` makes the event ids of a run its own.
    Traffic(std::uint64_t seed, std::string id_prefix, double events_per_second);

    // The events between the previous call and `now`, NDJSON, appended; returns how many.
    // The first call only sets the start.
    std::size_t advance(TimestampMs now, std::string& into);

    // 0.35 at night … 1.3 in the evening, by the hour of the day in UTC.
    static double day_curve(TimestampMs now);
    // True while the ad with the suspicious clicks has its phase.
    bool in_suspicious_phase(TimestampMs now) const;

private:
    struct Planned {  // a click or a conversion that follows an impression
        std::int64_t due_ms;
        std::size_t ad;
        std::string_view type;
        std::string session;
    };
    void show_impression(TimestampMs now, std::string& into);
    void send_bot_clicks(TimestampMs now, std::string& into);
    void send_planned(TimestampMs now, std::string& into);
    void append(std::string_view type, std::size_t ad, std::string_view session, TimestampMs at,
                std::string& into);
    std::string session();
    std::size_t pick_ad(TimestampMs now);
    double chance();

    std::mt19937_64 random_;
    std::string id_prefix_;
    double events_per_second_;
    std::int64_t start_ms_ = 0;
    std::int64_t last_ms_ = 0;
    double owed_ = 0;  // impressions, with their fraction
    std::uint64_t next_id_ = 0;
    std::uint64_t next_session_ = 0;
    std::deque<std::string> visitors_;
    std::vector<Planned> planned_;
    std::int64_t next_bot_ms_ = 0;
    std::uint64_t produced_ = 0;
};

}  // namespace adtally::demo
