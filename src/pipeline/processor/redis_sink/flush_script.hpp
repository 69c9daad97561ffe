// The one guarded script: compares the offsets, then applies a whole step, or changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/processor/ports.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

// The flushes of several partitions as one step. A campaign's ads lie in all partitions: added up
// here, its keys are written once a step instead of once a partition.
class FlushCall {
public:
    using Flushes = std::vector<const processor::Flush*>;  // not empty; valid as long as the call

    // What the deltas of `flushes` add up to, as KEYS and ARGV, owned together.
    void build(std::string_view topic, Flushes flushes, const processor::Thresholds& thresholds,
               TimestampMs now);
    // EVALSHA's words after the command and the hash: number of keys, keys, arguments.
    void append_to(std::vector<std::string_view>& words) const;
    std::size_t key_count() const { return 4 + 3 * flushes_.size(); }
    const Flushes& flushes() const { return flushes_; }
    const processor::Deltas& deltas() const { return deltas_; }

private:
    void add(std::string_view text);
    void add(std::int64_t number);
    void add_thresholds(const processor::Thresholds& thresholds);
    void add_sizes();
    void add_heads();
    void add_entities();
    void add_buckets(TimestampMs now);
    void add_anomalies_input();
    void add_counters(const domain::MetricDelta& delta);

    Flushes flushes_;
    processor::Deltas deltas_;
    std::string bytes_;
    std::vector<std::pair<std::size_t, std::size_t>> slices_;
};

std::string flush_script_source();
// Closes incidents whose entity has had no event for `silence`, and forgets windows that nothing
// has touched for an hour, a thousand or so a call. KEYS: open incidents, anomalies, windows of
// ads, windows of campaigns. ARGV: now in ms, silence in ms, two cursors ("0" at first). Returns
// {closed, cursor, cursor}.
std::string sweep_script_source();

// One outcome for each flush of the call, in its order. Where one is in conflict nothing was
// changed, and the others have none: they are to be sent again without it. The totals of a step
// that was applied stand in its first outcome.
std::vector<std::optional<processor::FlushOutcome>> parse_flush_reply(const redis::Reply& reply,
                                                                      const FlushCall& call);

}  // namespace adtally::redis_sink
