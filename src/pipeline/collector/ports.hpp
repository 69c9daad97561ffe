// What the collector needs from outside beside the event log: a place for realtime counters.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "domain/event.hpp"

namespace adtally::collector {

// Events of one type that were received in one second of wall-clock time.
struct RealtimeCount {
    domain::EventType type = domain::EventType::impression;
    std::int64_t epoch_second = 0;
    std::uint64_t count = 0;
};

// Adds counts to what is stored. Blocking, one thread. After an error the effect is unknown.
class RealtimeStore {
public:
    virtual ~RealtimeStore() = default;
    virtual Status add(std::span<const RealtimeCount> counts) = 0;
};

}  // namespace adtally::collector
