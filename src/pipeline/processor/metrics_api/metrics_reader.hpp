// Reads metrics back from Redis and tells them as JSON. One call, one pipeline.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "pipeline/processor/deltas.hpp"
#include "platform/redis/client.hpp"

namespace adtally::metrics_api {

// By what /api/metrics/top can sort: impressions, clicks, ctr, cost.
bool is_sort_key(std::string_view by);

// {"ad_id":"1",…counts…}; not_found when nothing was ever counted for it.
Result<std::string> entity_json(redis::Client& client, processor::Entity entity, std::int64_t id);

// {"ad_id":"1","date":"2024-01-15","hours":[{"hour":0,…},… 24]}
Result<std::string> hourly_json(redis::Client& client, std::int64_t ad, domain::LocalDay day);

// {"ad_id":"1","days":[{"date":"2024-01-15",…},…]}: from ≤ to, both included, zeros included.
Result<std::string> daily_json(redis::Client& client, std::int64_t ad, domain::LocalDay from,
                               domain::LocalDay to);

// {"by":"ctr","ads":[{"ad_id":"1",…},…]}, highest first. CTR ranks ads with ≥ 100 impressions.
Result<std::string> top_json(redis::Client& client, std::string_view by, std::int64_t limit);

// {"anomalies":[…]}, newest first; with a state, only incidents whose newest word it is.
Result<std::string> anomalies_json(redis::Client& client, std::string_view state,
                                   std::int64_t limit);

}  // namespace adtally::metrics_api
