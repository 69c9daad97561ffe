// MetricsStore on Redis: see README.md in this folder for the invariant and its proof.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/crash_points.hpp"
#include "pipeline/processor/ports.hpp"
#include "pipeline/processor/redis_sink/dead_lettered.hpp"
#include "pipeline/processor/redis_sink/flush_script.hpp"
#include "pipeline/processor/redis_sink/log_binding.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

// Threads: one, the loop's. The connection is its own.
class RedisStore final : public processor::MetricsStore {
public:
    // `rules`: kept beside the log's binding, for those who count the log again.
    RedisStore(redis::ClientOptions options, std::string topic, const Clock& clock,
               CrashPoints& crash_points, std::optional<CountingRules> rules = {});

    Result<std::vector<processor::FlushOutcome>> apply(
        std::span<const processor::Flush> flushes,
        const processor::Thresholds& thresholds) override;
    Result<std::vector<std::optional<Offset>>> positions(
        std::span<const Partition> partitions) override;
    Result<processor::OffsetRanges> dead_lettered(Partition partition, Offset from) override;
    Status bind_log(const std::string& log_id) override;
    std::uint64_t generation() const override { return client_.generation(); }

private:
    using Outcomes = std::vector<std::optional<processor::FlushOutcome>>;

    // Calls that together hold all of `flushes`, none of more than `most_cells` unless it is of
    // one.
    void make_calls(std::span<const processor::Flush> flushes,
                    const processor::Thresholds& thresholds);
    Result<redis::Reply> evaluate(const FlushCall& call);
    Result<Outcomes> settle(const FlushCall& call, redis::Reply reply,
                            const processor::Thresholds& thresholds);
    // One call of its own, now.
    Result<Outcomes> run(FlushCall::Flushes flushes, const processor::Thresholds& thresholds);
    Status check_eviction();

    redis::Client client_;
    std::string topic_;
    const Clock& clock_;
    CrashPoints& crash_points_;
    const std::optional<CountingRules> rules_;
    redis::Script script_;
    std::vector<FlushCall> calls_;
};

}  // namespace adtally::redis_sink
