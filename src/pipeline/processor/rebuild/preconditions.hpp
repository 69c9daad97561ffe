// Whether a Redis holds counts of this log at all, made by these rules.
//
// Counted again by another zone, another window or of another log, right counts look wrong, and
// would be "corrected".
#pragma once

#include <optional>
#include <span>

#include "base/result.hpp"
#include "base/strong.hpp"
#include "pipeline/processor/redis_sink/log_binding.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/redis/client.hpp"

namespace adtally::rebuild {

// `needed_from`: from when on the log is to be counted again; nothing: from its first counted
// record. `conflict` with the remedy in one line.
Status check_binding(redis::Client& client, const eventlog::TopicInfo& log,
                     const redis_sink::CountingRules& rules,
                     std::optional<TimestampMs> needed_from);

// `bases`: where counting began, partition by partition. `conflict` when it never did.
Status check_counted(const redis::Client& client, const eventlog::TopicInfo& log,
                     std::span<const std::optional<Offset>> bases);

}  // namespace adtally::rebuild
