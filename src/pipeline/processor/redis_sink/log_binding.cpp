#include "pipeline/processor/redis_sink/log_binding.hpp"

#include <fmt/format.h>

#include <array>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::redis_sink {
namespace {

// KEYS: the rules. ARGV: zone, window, now. One step: several processors start at once.
constexpr std::string_view keep_source = R"lua(
local was = redis.call('HMGET', KEYS[1], 'zone', 'dedup_window_s')
if was[1] == ARGV[1] and was[2] == ARGV[2] then return 0 end
if was[1] then redis.call('HSET', KEYS[1], 'changed_at_ms', ARGV[3]) end
redis.call('HSET', KEYS[1], 'zone', ARGV[1], 'dedup_window_s', ARGV[2])
return 1
)lua";

}  // namespace

Status bind_log(redis::Client& client, const std::string& topic, const std::string& log_id) {
    const std::string key = keys::log_binding(topic);
    ADTALLY_TRY(client.command({"SET", key, log_id, "NX"}));
    ADTALLY_TRY(const auto bound, client.command({"GET", key}));
    if (bound.text == log_id)
        return ok();
    return Error{ErrorCode::conflict,
                 fmt::format("this Redis counts another event log ({} holds {}, this log is {}); "
                             "use the data directory that belongs to it, or another Redis "
                             "database",
                             key, bound.text, log_id)};
}

Status keep_rules(redis::Client& client, const std::string& topic, const CountingRules& rules,
                  TimestampMs now) {
    const redis::Script script{std::string(keep_source)};
    const std::string key = keys::counting_rules(topic);
    const std::string window = std::to_string(rules.dedup_window_s);
    const std::string at = std::to_string(now.value);
    ADTALLY_TRY(const auto reply,
                redis::evaluate(client, script, std::array<std::string_view, 1>{key},
                                std::array<std::string_view, 3>{rules.zone, window, at}));
    if (reply.is_error())
        return Error{ErrorCode::conflict,
                     fmt::format("{} in Redis is not ours, rename it away: {}", key, reply.text)};
    return ok();
}

Result<std::optional<LogBinding>> read_binding(redis::Client& client, const std::string& topic) {
    ADTALLY_TRY(const auto log, client.command({"GET", keys::log_binding(topic)}));
    if (log.is_error())
        return Error{ErrorCode::conflict, fmt::format("{} in Redis is not ours: {}",
                                                      keys::log_binding(topic), log.text)};
    if (log.is_nil())
        return std::optional<LogBinding>{};
    LogBinding binding{log.text, std::nullopt, std::nullopt};
    const std::string key = keys::counting_rules(topic);
    ADTALLY_TRY(const auto rules,
                client.command({"HMGET", key, "zone", "dedup_window_s", "changed_at_ms"}));
    if (rules.elements.size() != 3)
        return Error{ErrorCode::conflict,
                     fmt::format("{} in Redis is not ours: {}", key, rules.text)};
    if (const auto window = domain::parse_decimal(rules.elements[1].text))
        binding.rules = CountingRules{rules.elements[0].text, *window};
    if (const auto since = domain::parse_decimal(rules.elements[2].text))
        binding.rules_since = TimestampMs{*since};
    return std::optional{std::move(binding)};
}

}  // namespace adtally::redis_sink
