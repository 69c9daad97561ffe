// Realtime counters in Redis: INCRBY and EXPIRE, one pipelined exchange for all of them.
#pragma once

#include <cstdint>
#include <string>

#include "pipeline/collector/ports.hpp"
#include "platform/redis/client.hpp"

namespace adtally::collector {

// "realtime:click:1705327402"
std::string realtime_key(domain::EventType type, std::int64_t epoch_second);

class RedisRealtimeStore final : public RealtimeStore {
public:
    explicit RedisRealtimeStore(redis::ClientOptions options) : client_(std::move(options)) {}

    Status add(std::span<const RealtimeCount> counts) override;

private:
    redis::Client client_;
};

}  // namespace adtally::collector
