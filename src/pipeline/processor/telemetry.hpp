// The named happenings of the processor: each counts and, where a person should know, logs.
#pragma once

#include <span>

#include "pipeline/processor/partition_state.hpp"
#include "pipeline/processor/processor.hpp"

namespace adtally::processor {

struct Processor::Telemetry {
    explicit Telemetry(observability::MetricRegistry& metrics);

    void counted(const Books& books);
    void flushed(SteadyTime::duration took);
    void dead_lettered(const observability::Logger& logger, Partition partition,
                       std::span<const DeadLetter> letters);

    observability::Counter& events_counted;
    observability::Counter& events_duplicate;
    observability::Counter& events_dead_lettered;
    observability::Counter& events_expired;
    observability::Counter& flush_failed;
    observability::Counter& rewinds;
    observability::Timer& flush_seconds;
};

}  // namespace adtally::processor
