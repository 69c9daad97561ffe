#include "platform/eventlog/kafka/consumer_options.hpp"

#include <algorithm>

namespace adtally::eventlog::kafka {
namespace {

constexpr Milliseconds longest_without_poll{60'000};

}  // namespace

Properties properties_of(const ConsumerOptions& options) {
    Properties properties{
        // librdkafka wants a name also of one that never joins.
        {"group.id", options.group.empty() ? "adtally-reader" : options.group},
        {"partition.assignment.strategy", "range"},
        {"session.timeout.ms", std::to_string(options.session_timeout.count())},
        {"heartbeat.interval.ms", std::to_string(options.heartbeat.count())},
        // Also how long the others wait in a rebalance for a member that does not poll.
        {"max.poll.interval.ms",
         std::to_string(std::max(options.session_timeout, longest_without_poll).count())},
        // Positions are ours. What is committed is a hint for tools that watch the lag.
        {"auto.offset.reset", "error"},
        {"enable.auto.offset.store", "false"},
        {"enable.auto.commit", options.group.empty() ? "false" : "true"},
        {"check.crcs", "true"},
        // What waits fetched. More is not faster: each batch is unpacked into memory that is then
        // in no cache (docs/BENCHMARKS.md). Above it fetching pauses for the backoff.
        {"queued.max.messages.kbytes", "8192"},
        {"fetch.error.backoff.ms", "20"},
        // An answer a record keeps the broker busier than writing them: at 8,000 events/s on two
        // cores their acknowledgements took 57 ms with it, 8 ms without (docs/BENCHMARKS.md).
        {"fetch.wait.max.ms", "20"},
        {"fetch.min.bytes", "262144"},
    };
    if (!options.instance.empty())
        properties.emplace_back("group.instance.id", options.instance);
    return properties;
}

}  // namespace adtally::eventlog::kafka
