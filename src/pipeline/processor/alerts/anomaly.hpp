// An anomaly as the stream `anomalies` holds it, for those who pass it on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "platform/redis/client.hpp"

namespace adtally::alerts {

struct Anomaly {
    std::string stream_id;  // Redis' id: its place in the order
    std::string id;         // of the incident: the same when it opens and when it resolves
    std::string rule;       // "ctr", "session_clicks", "reconciliation"
    std::string entity;     // "ad", "campaign", "session", "pipeline"
    std::string entity_id;
    std::string state;  // "OPEN", "RESOLVED"
    std::string observed;
    std::string threshold;
    std::string impressions;  // ctr only
    std::string clicks;
    TimestampMs event_time;
    TimestampMs detected_at;
};

// One element of XRANGE's answer; nothing if it is not one of ours.
std::optional<Anomaly> parse_anomaly(const redis::Reply& entry);

std::string to_json(const Anomaly& anomaly);

// One sentence for people.
std::string summary(const Anomaly& anomaly);

}  // namespace adtally::alerts
