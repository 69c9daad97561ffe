// The one guarded script: compares the offset, then applies a whole flush, or changes nothing.
#pragma once

#include <string>
#include <vector>

#include "pipeline/processor/ports.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

// KEYS and ARGV of one call, owned together; `words()` views them.
class FlushCall {
public:
    void build(std::string_view topic, const processor::Flush& flush,
               const processor::Thresholds& thresholds, TimestampMs now);
    // EVALSHA's words after the command and the hash: number of keys, keys, arguments.
    void append_to(std::vector<std::string_view>& words) const;

private:
    void add(std::string_view text);
    void add(std::int64_t number);
    void add_sizes(const processor::Deltas& deltas);
    void add_deltas(const processor::Deltas& deltas, TimestampMs now);
    void add_counters(const domain::MetricDelta& delta);

    std::string bytes_;
    std::vector<std::pair<std::size_t, std::size_t>> slices_;
};

std::string flush_script_source();
// Closes incidents whose entity has had no event for `silence`, and forgets windows that nothing
// has touched for an hour, a thousand or so a call. KEYS: open incidents, anomalies, windows of
// ads, windows of campaigns. ARGV: now in ms, silence in ms, two cursors ("0" at first). Returns
// {closed, cursor, cursor}.
std::string sweep_script_source();

processor::FlushOutcome parse_flush_reply(const redis::Reply& reply, const processor::Flush& flush);

}  // namespace adtally::redis_sink
