#include "pipeline/processor/metrics_api/metrics_reader.hpp"

#include <fmt/format.h>
#include <set>

#include "domain/validation.hpp"
#include "pipeline/processor/alerts/anomaly.hpp"
#include "pipeline/processor/metric_json.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::metrics_api {
namespace {

namespace keys = redis_sink::keys;
using domain::MetricDelta;
using processor::Entity;
using redis::Reply;

constexpr std::size_t counter_count = std::size(keys::counters);
constexpr std::int64_t least_impressions_for_ctr_rank = 100;

// Appends one MGET of the counters under `prefix`; `names` keeps the words alive.
void append_counters(redis::Client& client, const std::string& prefix) {
    std::string names[counter_count];
    std::string_view words[1 + counter_count] = {"MGET"};
    for (std::size_t m = 0; m < counter_count; ++m) {
        names[m] = prefix + std::string(keys::counters[m]);
        words[1 + m] = names[m];
    }
    client.append(words);
}

// Nothing when none of the counters exists.
std::optional<MetricDelta> parse_counters(const Reply& reply) {
    if (reply.elements.size() != counter_count)
        return std::nullopt;
    bool any = false;
    std::int64_t values[counter_count] = {};
    for (std::size_t m = 0; m < counter_count; ++m) {
        if (reply.elements[m].is_nil())
            continue;
        any = true;
        values[m] = domain::parse_decimal(reply.elements[m].text).value_or(0);
    }
    if (!any)
        return std::nullopt;
    return MetricDelta{values[0], values[1], values[2], domain::Nanos{values[3]},
                       domain::Nanos{values[4]}};
}

std::string_view id_member(Entity entity) {
    switch (entity) {
        case Entity::ad:
            return "ad_id";
        case Entity::campaign:
            return "campaign_id";
    }
    return "ad_id";
}

}  // namespace

bool is_sort_key(std::string_view by) {
    return by == "impressions" || by == "clicks" || by == "ctr" || by == "cost";
}

Result<std::string> entity_json(redis::Client& client, Entity entity, std::int64_t id) {
    append_counters(client, keys::entity(entity, id));
    ADTALLY_TRY(auto replies, client.exchange());
    auto counts = parse_counters(replies.at(0));
    if (!counts)
        return Error{ErrorCode::not_found,
                     fmt::format("no event of {} {} has been counted", keys::name_of(entity), id)};
    return fmt::format(R"({{"{}":"{}",{}}})", id_member(entity), id,
                       processor::json_members(*counts));
}

Result<std::string> hourly_json(redis::Client& client, std::int64_t ad, domain::LocalDay day) {
    constexpr int hours = 24;
    for (int hour = 0; hour < hours; ++hour)
        append_counters(client, keys::dated_hour(ad, domain::LocalHour{day.value * hours + hour}));
    ADTALLY_TRY(auto replies, client.exchange());
    std::string json =
        fmt::format(R"({{"ad_id":"{}","date":"{}","hours":[)", ad, domain::format_day(day));
    for (std::size_t hour = 0; hour < replies.size(); ++hour)
        json += fmt::format(
            R"({}{{"hour":{},{}}})", hour == 0 ? "" : ",", hour,
            processor::json_members(parse_counters(replies[hour]).value_or(MetricDelta{})));
    return json + "]}";
}

Result<std::string> daily_json(redis::Client& client, std::int64_t ad, domain::LocalDay from,
                               domain::LocalDay to) {
    for (std::int64_t day = from.value; day <= to.value; ++day)
        append_counters(client, keys::daily(ad, domain::LocalDay{day}));
    ADTALLY_TRY(auto replies, client.exchange());
    std::string json = fmt::format(R"({{"ad_id":"{}","days":[)", ad);
    for (std::size_t i = 0; i < replies.size(); ++i)
        json += fmt::format(
            R"({}{{"date":"{}",{}}})", i == 0 ? "" : ",",
            domain::format_day(domain::LocalDay{from.value + static_cast<std::int64_t>(i)}),
            processor::json_members(parse_counters(replies[i]).value_or(MetricDelta{})));
    return json + "]}";
}

Result<std::string> top_json(redis::Client& client, std::string_view by, std::int64_t limit) {
    // Ranking CTR needs enough impressions to mean something: read on until enough ads qualify.
    constexpr std::int64_t page = 1'000;
    constexpr std::int64_t pages = 10;
    std::string key = keys::top_ads(by);
    std::string json = fmt::format(R"({{"by":"{}","ads":[)", by);
    std::int64_t found = 0;
    for (std::int64_t at = 0; at < page * pages && found < limit; at += page) {
        std::int64_t most = by == "ctr" ? page : std::min(page, limit - found);
        ADTALLY_TRY(auto ids, client.command({"ZRANGE", key, std::to_string(at),
                                              std::to_string(at + most - 1), "REV"}));
        if (ids.elements.empty())
            break;
        for (const Reply& id : ids.elements)
            append_counters(client,
                            keys::entity(Entity::ad, domain::parse_decimal(id.text).value_or(0)));
        ADTALLY_TRY(auto replies, client.exchange());
        for (std::size_t i = 0; i < replies.size() && found < limit; ++i) {
            auto counts = parse_counters(replies[i]);
            if (!counts || (by == "ctr" && counts->impressions < least_impressions_for_ctr_rank))
                continue;
            json += fmt::format(R"({}{{"ad_id":"{}",{}}})", found == 0 ? "" : ",",
                                ids.elements[i].text, processor::json_members(*counts));
            ++found;
        }
    }
    return json + "]}";
}

Result<std::string> anomalies_json(redis::Client& client, std::string_view state,
                                   std::int64_t limit) {
    std::string most = std::to_string(state.empty() ? limit : keys::anomalies_kept);
    ADTALLY_TRY(auto entries,
                client.command({"XREVRANGE", keys::anomalies, "+", "-", "COUNT", most}));
    std::string json = R"({"anomalies":[)";
    std::set<std::string, std::less<>> seen;  // newest first: the first word is the last one said
    std::int64_t told = 0;
    for (const Reply& entry : entries.elements) {
        auto anomaly = alerts::parse_anomaly(entry);
        if (!anomaly || told >= limit)
            continue;
        bool newest = seen.insert(anomaly->id).second;
        if (!state.empty() && (!newest || anomaly->state != state))
            continue;
        json += (told == 0 ? "" : ",") + alerts::to_json(*anomaly);
        ++told;
    }
    return json + "]}";
}

}  // namespace adtally::metrics_api
