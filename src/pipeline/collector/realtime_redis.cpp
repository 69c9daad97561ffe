#include "pipeline/collector/realtime_redis.hpp"

#include <array>
#include <string_view>

#include "pipeline/collector/realtime.hpp"

namespace adtally::collector {

std::string realtime_key(domain::EventType type, std::int64_t epoch_second) {
    std::string key = "realtime:";
    key += domain::to_string(type);
    key += ':';
    key += std::to_string(epoch_second);
    return key;
}

Status RedisRealtimeStore::add(std::span<const RealtimeCount> counts) {
    const std::string lifetime = std::to_string(realtime_window_seconds);
    for (const RealtimeCount& entry : counts) {
        std::string key = realtime_key(entry.type, entry.epoch_second);
        std::string amount = std::to_string(entry.count);
        client_.append(std::array<std::string_view, 3>{"INCRBY", key, amount});
        client_.append(std::array<std::string_view, 3>{"EXPIRE", key, lifetime});
    }
    Result<std::vector<redis::Reply>> replies = client_.exchange();
    if (!replies)
        return replies.error();
    // Where one key is refused (WRONGTYPE) the others were counted and must not be repeated; where
    // all are (NOAUTH, NOPERM) nothing was.
    for (const redis::Reply& reply : replies.value()) {
        if (!reply.is_error())
            return ok();
    }
    const std::string reason = replies.value().empty() ? "no reply" : replies.value()[0].text;
    return Error{ErrorCode::unavailable, "Redis refuses realtime counts: " + reason};
}

}  // namespace adtally::collector
