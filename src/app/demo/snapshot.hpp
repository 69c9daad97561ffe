// What the processor's API says, as the table needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace adtally::demo {

struct AdRow {
    std::string ad_id;
    std::int64_t impressions = 0;
    std::int64_t clicks = 0;
    std::int64_t conversions = 0;
    std::optional<double> ctr{};  // absent while undefined
    std::optional<double> cpc{};
    std::optional<double> cpm{};
    double cost = 0;
};

struct AnomalyRow {
    std::string rule;
    std::string entity;
    std::string entity_id;
    std::string state;
    std::string observed;
    std::string threshold;
    std::string detected_at;
};

struct PipelineRow {
    std::int64_t accepted = 0;
    std::int64_t counted = 0;
    std::int64_t duplicates = 0;
    std::int64_t dead_lettered = 0;
    std::int64_t in_flight = 0;
    std::int64_t lag = 0;  // of all partitions
    bool balanced = false;
};

struct Snapshot {
    std::vector<AdRow> ads;
    std::vector<AnomalyRow> anomalies;
    PipelineRow pipeline;
};

// Each reads the body of one answer: /api/metrics/top, /api/anomalies, /api/pipeline/status.
// Members that are absent keep their default; a body of another kind is `corrupt`.
Result<std::vector<AdRow>> parse_top(std::string_view body);
Result<std::vector<AnomalyRow>> parse_anomalies(std::string_view body);
Result<PipelineRow> parse_status(std::string_view body);

}  // namespace adtally::demo
