// How counts are told as JSON, everywhere the same: API, ad-metrics, server-sent events.
#pragma once

#include <string>

#include "domain/metric_delta.hpp"

namespace adtally::processor {

// Millionths as a JSON number with 6 places; negative: undefined, null.
std::string json_ratio(std::int64_t millionths);

// Members without braces: "impressions":…,"clicks":…,"conversions":…,"ctr":…|null,"cpc":…|null,
// "cpm":…|null,"cost":…,"cost_nanos":"…","value_nanos":"…". Nanos are strings: they may be above
// 2^53.
std::string json_members(const domain::MetricDelta& values);

}  // namespace adtally::processor
