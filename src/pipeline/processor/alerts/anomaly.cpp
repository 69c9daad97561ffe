#include "pipeline/processor/alerts/anomaly.hpp"

#include <fmt/format.h>

#include "domain/codec.hpp"
#include "domain/validation.hpp"

namespace adtally::alerts {
namespace {

std::string* member(Anomaly& anomaly, std::string_view name) {
    if (name == "id")
        return &anomaly.id;
    if (name == "rule")
        return &anomaly.rule;
    if (name == "entity")
        return &anomaly.entity;
    if (name == "entity_id")
        return &anomaly.entity_id;
    if (name == "state")
        return &anomaly.state;
    if (name == "observed")
        return &anomaly.observed;
    if (name == "threshold")
        return &anomaly.threshold;
    if (name == "impressions")
        return &anomaly.impressions;
    if (name == "clicks")
        return &anomaly.clicks;
    return nullptr;
}

void add_text(std::string& json, std::string_view name, std::string_view value) {
    json += json.size() > 1 ? "," : "";
    domain::append_json_string(name, json);
    json += ':';
    domain::append_json_string(value, json);
}

void add_time(std::string& json, std::string_view name, TimestampMs time) {
    std::string text;
    domain::append_rfc3339(time, text);
    add_text(json, name, text);
}

}  // namespace

std::optional<Anomaly> parse_anomaly(const redis::Reply& entry) {
    if (entry.elements.size() != 2 || entry.elements[1].elements.size() % 2 != 0)
        return std::nullopt;
    Anomaly anomaly;
    anomaly.stream_id = entry.elements[0].text;
    const auto& fields = entry.elements[1].elements;
    for (std::size_t i = 0; i < fields.size(); i += 2) {
        const std::string& name = fields[i].text;
        const std::string& value = fields[i + 1].text;
        if (std::string* text = member(anomaly, name))
            *text = value;
        else if (name == "event_time_ms")
            anomaly.event_time = TimestampMs{domain::parse_decimal(value).value_or(0)};
        else if (name == "detected_at_ms")
            anomaly.detected_at = TimestampMs{domain::parse_decimal(value).value_or(0)};
    }
    if (anomaly.id.empty() || anomaly.rule.empty() || anomaly.state.empty())
        return std::nullopt;
    return anomaly;
}

std::string to_json(const Anomaly& anomaly) {
    std::string json = "{";
    add_text(json, "id", anomaly.id);
    add_text(json, "rule", anomaly.rule);
    add_text(json, "entity", anomaly.entity);
    add_text(json, "entity_id", anomaly.entity_id);
    add_text(json, "state", anomaly.state);
    add_text(json, "observed", anomaly.observed);
    add_text(json, "threshold", anomaly.threshold);
    if (!anomaly.impressions.empty()) {
        add_text(json, "impressions", anomaly.impressions);
        add_text(json, "clicks", anomaly.clicks);
    }
    add_time(json, "event_time", anomaly.event_time);
    add_time(json, "detected_at", anomaly.detected_at);
    add_text(json, "summary", summary(anomaly));
    json += '}';
    return json;
}

std::string summary(const Anomaly& anomaly) {
    if (anomaly.rule == "session_clicks")
        return fmt::format("session {} made {} clicks (limit {})", anomaly.entity_id,
                           anomaly.observed, anomaly.threshold);
    if (anomaly.rule == "reconciliation")
        return anomaly.state == "RESOLVED"
                   ? fmt::format("the books of {} add up again", anomaly.entity_id)
                   : fmt::format("the books of {} differ by {} events: see /api/pipeline/status",
                                 anomaly.entity_id, anomaly.observed);
    if (anomaly.state == "RESOLVED")
        return fmt::format("CTR of {} {} is back to normal: {}", anomaly.entity, anomaly.entity_id,
                           anomaly.observed);
    return fmt::format("CTR of {} {} is {} over the last five minutes (limit {})", anomaly.entity,
                       anomaly.entity_id, anomaly.observed, anomaly.threshold);
}

}  // namespace adtally::alerts
