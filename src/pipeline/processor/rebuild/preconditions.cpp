#include "pipeline/processor/rebuild/preconditions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "domain/codec.hpp"

namespace adtally::rebuild {
namespace {

Error never_counted(const redis::Client& client, const eventlog::TopicInfo& log) {
    return {ErrorCode::conflict,
            fmt::format("nothing of {} was ever counted in this Redis ({}): check --redis-url and "
                        "its database",
                        log.name, redis::to_string(client.endpoint()))};
}

std::string text_of(TimestampMs time) {
    std::string text;
    domain::append_rfc3339(time, text);
    return text;
}

Status check_rules(const redis_sink::LogBinding& binding, const redis_sink::CountingRules& rules) {
    if (!binding.rules)
        return Error{ErrorCode::conflict,
                     "the processors have not said by which zone and window they count: start one "
                     "of this version on this Redis first"};
    if (binding.rules->zone != rules.zone)
        return Error{ErrorCode::conflict,
                     fmt::format("the processors count hours and days by the zone {}, this is {}: "
                                 "give their --config, or --set processor.reporting-zone={}",
                                 binding.rules->zone, rules.zone, binding.rules->zone)};
    if (binding.rules->dedup_window_s != rules.dedup_window_s)
        return Error{ErrorCode::conflict,
                     fmt::format("the processors deduplicate within {} s, this is {} s: give their "
                                 "--config, or --set processor.dedup-window-s={}",
                                 binding.rules->dedup_window_s, rules.dedup_window_s,
                                 binding.rules->dedup_window_s)};
    return ok();
}

}  // namespace

Status check_binding(redis::Client& client, const eventlog::TopicInfo& log,
                     const redis_sink::CountingRules& rules,
                     std::optional<TimestampMs> needed_from) {
    ADTALLY_TRY(const auto binding, redis_sink::read_binding(client, log.name));
    if (!binding)
        return never_counted(client, log);
    if (binding->log_id != log.log_id)
        return Error{ErrorCode::conflict,
                     fmt::format("the Redis {} holds the counts of another log ({}, this is {}): "
                                 "check --redis-url, and --kafka or --data-dir",
                                 redis::to_string(client.endpoint()), binding->log_id, log.log_id)};
    ADTALLY_TRY(check_rules(*binding, rules));
    if (binding->rules_since && (!needed_from || *needed_from < *binding->rules_since))
        return Error{
            ErrorCode::conflict,
            fmt::format("the zone or the window was changed at {}: what was counted "
                        "before cannot be counted again by the rules of now; --day names "
                        "a day that began after it (docs/OPERATIONS.md, \"Counting again\")",
                        text_of(*binding->rules_since))};
    return ok();
}

Status check_counted(const redis::Client& client, const eventlog::TopicInfo& log,
                     std::span<const std::optional<Offset>> bases) {
    if (std::none_of(bases.begin(), bases.end(), [](const auto& base) { return base.has_value(); }))
        return never_counted(client, log);
    return ok();
}

}  // namespace adtally::rebuild
