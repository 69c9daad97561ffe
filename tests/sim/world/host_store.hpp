// One processor's connection to Redis: what it asks gets lost on the way there, or back.
//
// As platform/redis/client.hpp has it: after a failure the connection is closed and the effect
// unknown; a connection that has ended is replaced before the next call, which is where the
// generation grows, and where a failover is noticed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/processor/ports.hpp"
#include "sim/world/group.hpp"
#include "sim/world/redis_model.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

class HostStore final : public processor::MetricsStore {
public:
    HostStore(int host, Setting& setting, RedisModel& redis, const Group& group,
              Interrupter& interrupter);

    Result<std::vector<processor::FlushOutcome>> apply(
        std::span<const processor::Flush> flushes,
        const processor::Thresholds& thresholds) override;
    Result<processor::OffsetRanges> dead_lettered(Partition partition, Offset from) override;
    Result<std::vector<std::optional<Offset>>> positions(
        std::span<const Partition> partitions) override;
    Status bind_log(const std::string& log_id) override;
    std::uint64_t generation() const override { return generation_; }

private:
    Status connect();
    bool connected() const;
    Error cut(ErrorCode code, const char* why);
    Result<processor::FlushOutcome> apply_one(const processor::Flush& flush);

    int host_;
    Setting& setting_;
    RedisModel& redis_;
    const Group& group_;
    Interrupter& interrupter_;
    std::optional<std::size_t> instance_;  // connected to
    std::uint64_t generation_ = 0;
};

}  // namespace adtally::sim
