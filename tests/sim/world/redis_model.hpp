// Redis as the processors see it: guarded flushes, and failovers that lose the newest of them.
//
// An instance holds the state and all states that it had. A failover makes a new instance from an
// earlier state of the current one; the old one dies, or (a split brain) goes on serving those who
// are connected to it until it is fenced. What was written there since is lost either way.
// The guard, which redis_sink's Lua has as `stored == start`, stands in one place: passes_guard().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/processor/ports.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

inline constexpr std::size_t most_partitions = 3;
inline constexpr std::size_t most_ads = 6;
inline constexpr std::size_t campaigns = 2;

// Ads and campaigns by id; ids begin with 1.
struct RedisState {
    std::array<std::optional<std::int64_t>, most_partitions> offsets{};
    std::array<processor::Books, most_partitions> books{};
    std::array<processor::OffsetRanges, most_partitions> dead_lettered{};
    std::array<domain::MetricDelta, most_ads + 1> ads{};
    std::array<domain::MetricDelta, campaigns + 1> campaign{};
    std::string bound_to;
    friend bool operator==(const RedisState&, const RedisState&) = default;
};

class RedisModel {
public:
    explicit RedisModel(Setting& setting);

    std::size_t current() const { return instances_.size() - 1; }
    bool alive(std::size_t instance) const { return instances_[instance].alive; }
    const RedisState& state() const { return instances_.back().states.back(); }
    const RedisState& state_of(std::size_t instance) const {
        return instances_[instance].states.back();
    }

    processor::FlushOutcome apply(std::size_t instance, const processor::Flush& flush);
    // A request that is on its way although its sender has given up on it.
    void keep_late(std::size_t instance, const processor::Flush& flush);
    void run_late_request();
    void run_late_requests();  // all
    // SET NX, and what stands there then.
    std::string bind(std::size_t instance, const std::string& log_id);

    void fail_over();
    void fence();  // ends the old ones of split brains

    std::uint64_t applied() const { return applied_; }  // flushes

    bool away = false;  // nobody reaches any

private:
    struct Instance {
        bool alive = true;
        std::vector<RedisState> states;  // each flush adds one
    };
    // Of a Flush, with deltas of its own.
    struct LateRequest {
        std::size_t instance = 0;
        processor::Flush flush;
        processor::Deltas deltas;
    };
    bool passes_guard(std::optional<std::int64_t> stored, const processor::Flush& flush) const;

    Setting& setting_;
    std::vector<Instance> instances_;
    std::vector<LateRequest> late_;
    std::uint64_t applied_ = 0;
};

}  // namespace adtally::sim
