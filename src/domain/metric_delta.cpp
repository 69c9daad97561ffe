#include "domain/metric_delta.hpp"

namespace adtally::domain {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

void add_saturating(std::int64_t& to, std::int64_t count) {
    to = to > most - count ? most : to + count;
}

// numerator / denominator, rounded half up; both ≥ 0. Saturates at the largest value.
std::int64_t rounded_ratio(Wide numerator, Wide denominator) {
    Wide rounded = (2 * numerator + denominator) / (2 * denominator);
    return rounded > most ? most : static_cast<std::int64_t>(rounded);
}

}  // namespace

void MetricDelta::add(EventType type, Nanos event_cost, Nanos event_value) {
    switch (type) {
        case EventType::impression:
            add_saturating(impressions, 1);
            break;
        case EventType::click:
            add_saturating(clicks, 1);
            break;
        case EventType::conversion:
            add_saturating(conversions, 1);
            break;
    }
    cost = saturating_add(cost, event_cost);
    value = saturating_add(value, event_value);
}

void MetricDelta::merge(const MetricDelta& other) {
    add_saturating(impressions, other.impressions);
    add_saturating(clicks, other.clicks);
    add_saturating(conversions, other.conversions);
    cost = saturating_add(cost, other.cost);
    value = saturating_add(value, other.value);
}

bool MetricDelta::is_zero() const {
    return *this == MetricDelta{};
}

std::int64_t ctr_millionths(std::int64_t impressions, std::int64_t clicks) {
    return impressions == 0 ? -1 : rounded_ratio(Wide{clicks} * 1'000'000, impressions);
}

std::int64_t cpc_micros(Nanos cost, std::int64_t clicks) {
    return clicks == 0 ? -1 : rounded_ratio(cost.value, Wide{clicks} * 1000);
}

// Per thousand impressions and from nanos to micros: the two thousands cancel.
std::int64_t cpm_micros(Nanos cost, std::int64_t impressions) {
    return impressions == 0 ? -1 : rounded_ratio(cost.value, impressions);
}

}  // namespace adtally::domain
