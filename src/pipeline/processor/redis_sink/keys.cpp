#include "pipeline/processor/redis_sink/keys.hpp"

#include <fmt/format.h>

namespace adtally::redis_sink::keys {

std::string_view name_of(processor::Entity entity) {
    switch (entity) {
        case processor::Entity::ad:
            return "ad";
        case processor::Entity::campaign:
            return "campaign";
    }
    return "ad";
}

std::string entity(processor::Entity entity, std::int64_t id) {
    return fmt::format("{}:metrics:{}:", name_of(entity), id);
}

std::string hour_of_day(std::int64_t ad, domain::LocalHour hour) {
    return fmt::format("hourly:metrics:{}:{:02}:", ad, domain::hour_of_day(hour));
}

std::string dated_hour(std::int64_t ad, domain::LocalHour hour) {
    return fmt::format("hourly:metrics:{}:{}:", ad, domain::format_hour(hour));
}

std::string daily(std::int64_t ad, domain::LocalDay day) {
    return fmt::format("daily:metrics:{}:{}:", ad, domain::format_day(day));
}

std::string session_clicks(std::string_view session) {
    return fmt::format("session:clicks:{}", session);
}

std::string offset(std::string_view topic, Partition partition) {
    return fmt::format("adtally:offset:{}:{}", topic, partition.value);
}

std::string books(std::string_view topic, Partition partition) {
    return fmt::format("adtally:books:{}:{}", topic, partition.value);
}

std::string dead_lettered(std::string_view topic, Partition partition) {
    return fmt::format("adtally:dead-lettered:{}:{}", topic, partition.value);
}

std::string log_binding(std::string_view topic) {
    return fmt::format("adtally:log:{}", topic);
}

std::string counting_rules(std::string_view topic) {
    return fmt::format("adtally:rules:{}", topic);
}

std::string delivered(std::string_view sink) {
    return fmt::format("adtally:alerts:{}:delivered", sink);
}

std::string delivery_lease(std::string_view sink) {
    return fmt::format("adtally:alerts:{}:lease", sink);
}

std::string intake(std::string_view topic) {
    return fmt::format("adtally:intake:{}", topic);
}

std::string reconciliation(std::string_view topic, std::int64_t number) {
    return fmt::format("adtally:reconciliation:{}:{}", topic, number);
}

std::string open_reconciliation(std::string_view topic) {
    return fmt::format("adtally:reconciliation:{}:open", topic);
}

std::string rebuild(std::string_view run) {
    return fmt::format("adtally:rebuild:{}", run);
}

std::string rebuild_lease(std::string_view topic) {
    return fmt::format("adtally:rebuild-lease:{}", topic);
}

std::string redriven(std::string_view origin) {
    return fmt::format("adtally:redriven:{}", origin);
}

std::string redriven_letters(std::string_view topic, Partition partition) {
    return fmt::format("adtally:redriven-letters:{}:{}", topic, partition.value);
}

std::string top_ads(std::string_view by) {
    return fmt::format("top:ads:{}", by);
}

}  // namespace adtally::redis_sink::keys
