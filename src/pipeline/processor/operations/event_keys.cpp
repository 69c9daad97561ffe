#include "pipeline/processor/operations/event_keys.hpp"

#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::operations {

namespace keys = redis_sink::keys;

std::vector<std::string> keys_of(const domain::Event& event, domain::ReportingZone& zone) {
    const std::string counter{keys::counters[static_cast<std::size_t>(event.type)]};
    const domain::LocalHour hour = zone.hour(event.timestamp);
    std::vector<std::string> all;
    for (const auto& [entity, id] :
         {std::pair{processor::Entity::ad, event.ad_id.value},
          std::pair{processor::Entity::campaign, event.campaign_id.value}}) {
        const std::string prefix = keys::entity(entity, id);
        all.push_back(prefix + counter);
        all.push_back(prefix + std::string(keys::ctr));
        all.push_back(prefix + std::string(keys::cpc));
        all.push_back(prefix + std::string(keys::cpm));
        if (event.cost.value > 0 || !event.has_cost)
            all.push_back(prefix + std::string(keys::counters[3]));
        if (event.value.value > 0)
            all.push_back(prefix + std::string(keys::counters[4]));
    }
    all.push_back(keys::dated_hour(event.ad_id.value, hour) + counter);
    all.push_back(keys::hour_of_day(event.ad_id.value, hour) + counter);
    all.push_back(keys::daily(event.ad_id.value, domain::day_of(hour)) + counter);
    if (event.type == domain::EventType::click && !event.session_id.empty())
        all.push_back(keys::session_clicks(event.session_id));
    return all;
}

}  // namespace adtally::operations
