#include "pipeline/processor/aggregator.hpp"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <string>
#include <string_view>

#include "pipeline/processor/options.hpp"

namespace adtally::processor {
namespace {

using domain::MetricDelta;

struct CellKey {
    std::int64_t ad = 0;
    std::int64_t campaign = 0;
    std::int64_t bucket = 0;
    friend bool operator==(const CellKey&, const CellKey&) = default;
};

struct CellHash {
    std::size_t operator()(const CellKey& key) const noexcept {
        auto mix = [](std::uint64_t value) {
            value ^= value >> 32;
            value *= 0xE9846AF9B1A615Dull;
            return value ^ (value >> 29);
        };
        std::uint64_t hash = mix(static_cast<std::uint64_t>(key.ad));
        hash = mix(hash + static_cast<std::uint64_t>(key.campaign) * 0x9E3779B97F4A7C15ull);
        return mix(hash + static_cast<std::uint64_t>(key.bucket));
    }
};

struct SessionCell {
    std::int64_t clicks = 0;
    TimestampMs last_click;
};

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

}  // namespace

struct Aggregator::Impl {
    explicit Impl(domain::ReportingZone reporting_zone) : zone(std::move(reporting_zone)) {}

    domain::ReportingZone zone;
    boost::unordered_flat_map<CellKey, MetricDelta, CellHash> cells;
    boost::unordered_flat_map<std::string, SessionCell, TextHash, std::equal_to<>> sessions;
};

Aggregator::Aggregator(domain::ReportingZone zone)
    : impl_(std::make_unique<Impl>(std::move(zone))) {}
Aggregator::~Aggregator() = default;
Aggregator::Aggregator(Aggregator&&) noexcept = default;

void Aggregator::add(const domain::Event& event, domain::Nanos cost) {
    CellKey key{event.ad_id.value, event.campaign_id.value,
                floor_div(event.timestamp.value, ctr_bucket_ms)};
    impl_->cells[key].add(event.type, cost, domain::to_nanos(event.value));

    if (event.type != domain::EventType::click || event.session_id.empty())
        return;
    auto found = impl_->sessions.find(event.session_id);
    if (found == impl_->sessions.end())
        found = impl_->sessions.emplace(std::string(event.session_id), SessionCell{}).first;
    found->second.clicks += 1;
    found->second.last_click = std::max(found->second.last_click, event.timestamp);
}

std::size_t Aggregator::size() const {
    return impl_->cells.size() + impl_->sessions.size();
}

void Aggregator::clear() {
    impl_->cells.clear();
    impl_->sessions.clear();
}

void Aggregator::roll_up(Deltas& into) {
    into.clear();
    for (const auto& [key, delta] : impl_->cells) {
        domain::LocalHour hour = impl_->zone.hour(TimestampMs{key.bucket * ctr_bucket_ms});
        into.ads.push_back({key.ad, delta});
        into.campaigns.push_back({key.campaign, delta});
        into.hours.push_back({key.ad, hour, delta, TimestampMs{key.bucket * ctr_bucket_ms}});
        into.days.push_back({key.ad, domain::day_of(hour), delta});
        if (delta.impressions == 0 && delta.clicks == 0)
            continue;
        into.windows.push_back({Entity::ad, key.ad, key.bucket, delta.impressions, delta.clicks});
        into.windows.push_back(
            {Entity::campaign, key.campaign, key.bucket, delta.impressions, delta.clicks});
    }
    for (const auto& [session, cell] : impl_->sessions)
        into.sessions.push_back({session, cell.clicks, cell.last_click});
    sort_and_merge(into);
}

}  // namespace adtally::processor
