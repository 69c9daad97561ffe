#include "app/demo/snapshot.hpp"

#include <boost/json.hpp>

namespace adtally::demo {
namespace {

namespace json = boost::json;

// Absent and null are the same to a table.
std::optional<double> number(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_number()) {
        return std::nullopt;
    }
    return value->to_number<double>();
}

std::int64_t count(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// Numbers and texts alike: ids and observations come as either.
std::string text(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    if (value->is_string()) {
        return std::string(value->get_string().data(), value->get_string().size());
    }
    return json::serialize(*value);
}

Result<json::object> object_of(std::string_view body) {
    boost::system::error_code error;
    json::value parsed = json::parse({body.data(), body.size()}, error);
    if (error || !parsed.is_object()) {
        return Error{ErrorCode::corrupt, "the answer is not a JSON object"};
    }
    return std::move(parsed.get_object());
}

Result<json::array> list_of(std::string_view body, json::string_view name) {
    ADTALLY_TRY(auto object, object_of(body));
    json::value* list = object.if_contains(name);
    if (list == nullptr || !list->is_array()) {
        return Error{ErrorCode::corrupt, "the answer has no list of " + std::string(name)};
    }
    return std::move(list->get_array());
}

}  // namespace

Result<std::vector<AdRow>> parse_top(std::string_view body) {
    ADTALLY_TRY(auto list, list_of(body, "ads"));
    std::vector<AdRow> rows;
    for (const json::value& value : list) {
        if (const json::object* ad = value.if_object()) {
            rows.push_back(AdRow{.ad_id = text(*ad, "ad_id"),
                                 .impressions = count(*ad, "impressions"),
                                 .clicks = count(*ad, "clicks"),
                                 .conversions = count(*ad, "conversions"),
                                 .ctr = number(*ad, "ctr"),
                                 .cpc = number(*ad, "cpc"),
                                 .cpm = number(*ad, "cpm"),
                                 .cost = number(*ad, "cost").value_or(0)});
        }
    }
    return rows;
}

Result<std::vector<AnomalyRow>> parse_anomalies(std::string_view body) {
    ADTALLY_TRY(auto list, list_of(body, "anomalies"));
    std::vector<AnomalyRow> rows;
    for (const json::value& value : list) {
        if (const json::object* anomaly = value.if_object()) {
            rows.push_back(AnomalyRow{.rule = text(*anomaly, "rule"),
                                      .entity = text(*anomaly, "entity"),
                                      .entity_id = text(*anomaly, "entity_id"),
                                      .state = text(*anomaly, "state"),
                                      .observed = text(*anomaly, "observed"),
                                      .threshold = text(*anomaly, "threshold"),
                                      .detected_at = text(*anomaly, "detected_at")});
        }
    }
    return rows;
}

Result<PipelineRow> parse_status(std::string_view body) {
    ADTALLY_TRY(auto status, object_of(body));
    PipelineRow row{.accepted = count(status, "accepted"),
                    .counted = count(status, "counted"),
                    .duplicates = count(status, "duplicates"),
                    .dead_lettered = count(status, "dead_lettered"),
                    .in_flight = count(status, "in_flight")};
    const json::value* balanced = status.if_contains("balanced");
    row.balanced = balanced != nullptr && balanced->is_bool() && balanced->get_bool();
    const json::value* partitions = status.if_contains("partitions");
    if (partitions != nullptr && partitions->is_array()) {
        for (const json::value& value : partitions->get_array()) {
            if (const json::object* partition = value.if_object()) {
                row.lag += count(*partition, "lag");
            }
        }
    }
    return row;
}

}  // namespace adtally::demo
