// Publishes the new absolute values of touched ads and campaigns: to ad-metrics and to listeners.
//
// At most one event a second an entity, and 10,000 a second in all: beyond, they come less often.
// The newest values win. Values are absolute, so a reader that misses one is right again with the
// next. A crash loses at most the last second's events; the entity's next change publishes what
// they said. Threads. The loop's; listeners are called on it and must be quick.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "pipeline/processor/ports.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::processor {

// {"entity":"ad","id":"1","impressions":…,"clicks":…,"conversions":…,"ctr":…|null,"cpc":…|null,
//  "cpm":…|null,"cost":…,"cost_nanos":"…","value_nanos":"…","at":"…Z"}
std::string metric_event_json(const EntityTotals& totals, TimestampMs at);

class MetricPublisher {
public:
    using Listener = std::function<void(const std::string& json)>;

    MetricPublisher(eventlog::Producer& producer, std::string topic, const Clock& clock,
                    std::vector<Listener> listeners);
    ~MetricPublisher();

    void touched(std::span<const EntityTotals> totals);
    // Publishes what is due; call it often.
    void tick();
    // Publishes all that waits, due or not: at shutdown, and before another processor counts on.
    void flush();
    // Publishes none of it: what another has counted since is newer.
    void forget_waiting();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::processor
