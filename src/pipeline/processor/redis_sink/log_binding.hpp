// What the counts in a Redis belong to: one log, counted by one set of rules.
//
// Problem. Offsets and hours mean something only beside the log and the settings they were made
// with. Whoever counts a log again must know that both are the same.
// Design. The string adtally:log:{topic} holds the log's id, the hash adtally:rules:{topic} the
// rules that processors count by. A processor that comes with other rules counts on by its own, and
// leaves in `changed_at_ms` when that began: what was counted before it was counted by others.
// Limits. Rules of a time before they were kept here are taken for the first ones that are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/strong.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

struct CountingRules {
    std::string zone = "UTC";  // as ReportingZone names it
    std::int64_t dedup_window_s = 0;
    friend bool operator==(const CountingRules&, const CountingRules&) = default;
};

struct LogBinding {
    std::string log_id;
    std::optional<CountingRules> rules;      // nothing: none of the processors kept theirs
    std::optional<TimestampMs> rules_since;  // when they replaced others; nothing: they never did
};

// Binds at the first call; `conflict` when Redis is bound to another log.
Status bind_log(redis::Client& client, const std::string& topic, const std::string& log_id);
Status keep_rules(redis::Client& client, const std::string& topic, const CountingRules& rules,
                  TimestampMs now);
// Nothing where nothing was ever bound.
Result<std::optional<LogBinding>> read_binding(redis::Client& client, const std::string& topic);

}  // namespace adtally::redis_sink
