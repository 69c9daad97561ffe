#include "pipeline/processor/operations/event_keys.hpp"

#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::operations {

namespace keys = redis_sink::keys;

std::vector<std::string> keys_of(const domain::Event& event, domain::ReportingZone& zone) {
    const std::string counter{keys::counters[static_cast<std::size_t>(event.type)]};
    const domain::LocalHour hour = zone.hour(event.timestamp);
    const bool has_cost = event.cost.value > 0 || !event.has_cost;
    const bool has_value = event.value.value > 0;
    std::vector<std::string> all;
    const auto add_with_money = [&](const std::string& prefix) {
        all.push_back(prefix + counter);
        if (has_cost)
            all.push_back(prefix + std::string(keys::counters[3]));
        if (has_value)
            all.push_back(prefix + std::string(keys::counters[4]));
    };
    for (const auto& [entity, id] :
         {std::pair{processor::Entity::ad, event.ad_id.value},
          std::pair{processor::Entity::campaign, event.campaign_id.value}}) {
        const std::string prefix = keys::entity(entity, id);
        add_with_money(prefix);
        all.push_back(prefix + std::string(keys::ctr));
        all.push_back(prefix + std::string(keys::cpc));
        all.push_back(prefix + std::string(keys::cpm));
    }
    add_with_money(keys::dated_hour(event.ad_id.value, hour));
    all.push_back(keys::hour_of_day(event.ad_id.value, hour) + counter);
    add_with_money(keys::daily(event.ad_id.value, domain::day_of(hour)));
    if (event.type != domain::EventType::conversion) {
        all.push_back(keys::top_ads(counter));
        all.push_back(std::string(keys::ad_windows));
        all.push_back(std::string(keys::campaign_windows));
    }
    all.push_back(keys::top_ads("ctr"));
    if (has_cost)
        all.push_back(keys::top_ads("cost"));
    if (event.type == domain::EventType::click && !event.session_id.empty())
        all.push_back(keys::session_clicks(event.session_id));
    return all;
}

}  // namespace adtally::operations
