// Which Redis keys an event that was counted has touched.
#pragma once

#include <string>
#include <vector>

#include "domain/event.hpp"
#include "domain/time_bucket.hpp"

namespace adtally::operations {

// Set by a collector on each record it appends to Kafka: which one it was.
inline constexpr const char* collector_header = "adtally-collector";

// Counters, ratios and the session's clicks. The undated hour (hourly:metrics:{ad}:{HH}) stands
// here too, though an event of an older day than the one it holds leaves it alone.
std::vector<std::string> keys_of(const domain::Event& event, domain::ReportingZone& zone);

}  // namespace adtally::operations
