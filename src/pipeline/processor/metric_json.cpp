#include "pipeline/processor/metric_json.hpp"

#include <fmt/format.h>

namespace adtally::processor {

std::string json_ratio(std::int64_t millionths) {
    if (millionths < 0)
        return "null";
    return fmt::format("{}.{:06}", millionths / 1'000'000, millionths % 1'000'000);
}

std::string json_members(const domain::MetricDelta& values) {
    return fmt::format(
        R"("impressions":{},"clicks":{},"conversions":{},"ctr":{},"cpc":{},"cpm":{},"cost":{},)"
        R"("cost_nanos":"{}","value_nanos":"{}")",
        values.impressions, values.clicks, values.conversions,
        json_ratio(domain::ctr_millionths(values.impressions, values.clicks)),
        json_ratio(domain::cpc_micros(values.cost, values.clicks)),
        json_ratio(domain::cpm_micros(values.cost, values.impressions)),
        json_ratio(values.cost.value / 1000), values.cost.value, values.value.value);
}

}  // namespace adtally::processor
