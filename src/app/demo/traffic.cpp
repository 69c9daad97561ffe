#include "app/demo/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "domain/codec.hpp"

namespace adtally::demo {
namespace {

constexpr std::size_t suspicious_ad = 6;
constexpr std::int64_t cycle_ms = 360'000;
constexpr std::int64_t suspicious_from_ms = 20'000;
constexpr std::int64_t suspicious_until_ms = 95'000;
constexpr double suspicious_click_rate = 0.3;
constexpr double suspicious_share_factor = 3;
constexpr std::int64_t first_bot_ms = 8'000;
constexpr std::int64_t bot_interval_ms = 45'000;
constexpr std::size_t most_visitors = 400;
// After a pause (a suspended laptop) the stream goes on from now instead of making up for it.
constexpr std::int64_t most_step_ms = 1'000;

constexpr std::array<std::string_view, 5> user_agents{
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.2 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Mobile Safari/537.36",
};

}  // namespace

const std::array<DemoAd, 8>& demo_ads() {
    static const std::array<DemoAd, 8> ads{{
        {101, 11, "Running shoes", 0.22, 0.012, 0.05, Pricing::cpm, 2'400},
        {102, 11, "Rain jackets", 0.16, 0.021, 0.04, Pricing::cpm, 3'100},
        {103, 11, "Gym bags", 0.08, 0.007, 0.03, Pricing::cpm, 1'800},
        {104, 12, "Weekend in Lisbon", 0.18, 0.034, 0.02, Pricing::cpc, 420'000},
        {105, 12, "Night trains", 0.12, 0.018, 0.03, Pricing::cpc, 310'000},
        {106, 12, "Ski huts", 0.09, 0.045, 0.02, Pricing::cpc, 560'000},
        {107, 13, "Password manager", 0.06, 0.009, 0.08, Pricing::cpm, 5'200},
        {108, 13, "Noise-free headset", 0.09, 0.015, 0.06, Pricing::cpm, 4'000},
    }};
    return ads;
}

Traffic::Traffic(std::uint64_t seed, std::string id_prefix, double events_per_second)
    : random_(seed), id_prefix_(std::move(id_prefix)), events_per_second_(events_per_second) {}

double Traffic::day_curve(TimestampMs now) {
    constexpr std::array<double, 24> by_hour{0.55, 0.45, 0.38, 0.35, 0.36, 0.42, 0.55, 0.70,
                                             0.85, 0.95, 1.00, 1.05, 1.10, 1.05, 1.00, 1.00,
                                             1.05, 1.12, 1.20, 1.28, 1.30, 1.20, 0.95, 0.72};
    std::int64_t minute = (now.value / 60'000) % 1'440;
    auto hour = static_cast<std::size_t>(minute / 60);
    double part = static_cast<double>(minute % 60) / 60;
    return by_hour[hour] * (1 - part) + by_hour[(hour + 1) % 24] * part;
}

bool Traffic::in_suspicious_phase(TimestampMs now) const {
    std::int64_t phase = (now.value - start_ms_) % cycle_ms;
    return phase >= suspicious_from_ms && phase < suspicious_until_ms;
}

std::size_t Traffic::advance(TimestampMs now, std::string& into) {
    if (start_ms_ == 0) {
        start_ms_ = last_ms_ = now.value;
        next_bot_ms_ = now.value + first_bot_ms;
        return 0;
    }
    std::uint64_t before = produced_;
    std::int64_t step = std::clamp<std::int64_t>(now.value - last_ms_, 0, most_step_ms);
    last_ms_ = std::max(last_ms_, now.value);
    // A breath of a minute, so that the rate is seen to move.
    double wave = 1 + 0.15 * std::sin(static_cast<double>(now.value % 60'000) / 60'000 * 6.2832);
    owed_ += events_per_second_ * day_curve(now) * wave * static_cast<double>(step) / 1'000;
    for (; owed_ >= 1; owed_ -= 1) {
        show_impression(now, into);
    }
    send_planned(now, into);
    if (now.value >= next_bot_ms_) {
        send_bot_clicks(now, into);
        next_bot_ms_ = now.value + bot_interval_ms;
    }
    return static_cast<std::size_t>(produced_ - before);
}

void Traffic::show_impression(TimestampMs now, std::string& into) {
    std::size_t ad = pick_ad(now);
    std::string visitor = session();
    append("impression", ad, visitor, now, into);
    bool suspicious = ad == suspicious_ad && in_suspicious_phase(now);
    double click_rate = suspicious ? suspicious_click_rate : demo_ads()[ad].click_rate;
    if (chance() >= click_rate) {
        return;
    }
    std::int64_t clicked = now.value + 300 + static_cast<std::int64_t>(chance() * 4'000);
    planned_.push_back({clicked, ad, "click", visitor});
    if (chance() < demo_ads()[ad].conversion_rate) {
        std::int64_t bought = clicked + 5'000 + static_cast<std::int64_t>(chance() * 60'000);
        planned_.push_back({bought, ad, "conversion", visitor});
    }
}

void Traffic::send_planned(TimestampMs now, std::string& into) {
    auto due = std::partition(planned_.begin(), planned_.end(),
                              [now](const Planned& one) { return one.due_ms > now.value; });
    std::vector<Planned> sending(std::make_move_iterator(due),
                                 std::make_move_iterator(planned_.end()));
    planned_.erase(due, planned_.end());
    for (const Planned& one : sending) {
        append(one.type, one.ad, one.session, now, into);
    }
}

void Traffic::send_bot_clicks(TimestampMs now, std::string& into) {
    std::string bot = fmt::format("bot-{}{}", id_prefix_, next_session_++);
    std::size_t ad = pick_ad(now);
    append("impression", ad, bot, now, into);
    int clicks = 12 + static_cast<int>(chance() * 12);
    for (int i = 0; i < clicks; ++i) {
        append("click", ad, bot, now, into);
    }
}

// Half of the impressions go to someone who is already here.
std::string Traffic::session() {
    if (!visitors_.empty() && chance() < 0.5) {
        auto which = static_cast<std::size_t>(chance() * static_cast<double>(visitors_.size()));
        return visitors_[std::min(which, visitors_.size() - 1)];
    }
    visitors_.push_back(fmt::format("s-{}{}", id_prefix_, next_session_++));
    if (visitors_.size() > most_visitors) {
        visitors_.pop_front();
    }
    return visitors_.back();
}

std::size_t Traffic::pick_ad(TimestampMs now) {
    double factor = in_suspicious_phase(now) ? suspicious_share_factor : 1;
    double sum = 0;
    for (std::size_t i = 0; i < demo_ads().size(); ++i) {
        sum += demo_ads()[i].share * (i == suspicious_ad ? factor : 1);
    }
    double point = chance() * sum;
    for (std::size_t i = 0; i < demo_ads().size(); ++i) {
        point -= demo_ads()[i].share * (i == suspicious_ad ? factor : 1);
        if (point < 0) {
            return i;
        }
    }
    return 0;
}

void Traffic::append(std::string_view type, std::size_t ad, std::string_view session,
                     TimestampMs at, std::string& into) {
    const DemoAd& shown = demo_ads()[ad];
    fmt::format_to(std::back_inserter(into),
                   R"({{"event_id":"{}{}","type":"{}","ad_id":{},"campaign_id":{},)"
                   R"("publisher_id":{},"slot_id":{},"session_id":"{}","timestamp":")",
                   id_prefix_, next_id_++, type, shown.id, shown.campaign, 12 + shown.id % 3,
                   340 + shown.id % 7, session);
    domain::append_rfc3339(at, into);
    into += '"';
    bool charged = (type == "impression" && shown.pricing == Pricing::cpm) ||
                   (type == "click" && shown.pricing == Pricing::cpc);
    if (charged || type != "conversion") {
        fmt::format_to(std::back_inserter(into), R"(,"cost_micros":{})",
                       charged ? shown.price_micros : 0);
    }
    if (type == "conversion") {
        fmt::format_to(std::back_inserter(into), R"(,"value_micros":{})",
                       19'000'000 + shown.id % 10 * 7'000'000);
    }
    fmt::format_to(std::back_inserter(into), ",\"user_agent\":\"{}\",\"ip\":\"203.0.113.{}\"}}\n",
                   user_agents[std::hash<std::string_view>{}(session) % user_agents.size()],
                   std::hash<std::string_view>{}(session) % 250 + 1);
    ++produced_;
}

double Traffic::chance() {
    return std::uniform_real_distribution<double>(0, 1)(random_);
}

}  // namespace adtally::demo
