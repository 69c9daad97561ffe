#include "pipeline/processor/telemetry.hpp"

namespace adtally::processor {
namespace {

constexpr const char* events_name = "adtally_processor_events_total";
constexpr const char* events_help = "Records taken from the log, by what became of them";

}  // namespace

Processor::Telemetry::Telemetry(observability::MetricRegistry& metrics)
    : events_counted(metrics.counter(events_name, events_help, {{"result", "counted"}})),
      events_duplicate(metrics.counter(events_name, events_help, {{"result", "duplicate"}})),
      events_dead_lettered(metrics.counter(events_name, events_help, {{"result", "dead_letter"}})),
      events_expired(metrics.counter(events_name, events_help, {{"result", "expired"}})),
      flush_failed(metrics.counter("adtally_processor_flush_failures_total",
                                   "Flushes whose outcome was unknown and had to be looked up")),
      rewinds(metrics.counter("adtally_processor_rewinds_total",
                              "Partitions that started over from the stored offset")),
      flush_seconds(metrics.timer("adtally_processor_flush_seconds",
                                  "Time of one flush of all partitions, Redis included")) {}

void Processor::Telemetry::counted(const Books& books) {
    events_counted.add(static_cast<double>(books.counted));
    events_duplicate.add(static_cast<double>(books.duplicates));
    events_dead_lettered.add(static_cast<double>(books.dead_lettered));
    events_expired.add(static_cast<double>(books.expired));
}

void Processor::Telemetry::flushed(SteadyTime::duration took) {
    flush_seconds.observe_seconds(std::chrono::duration<double>(took).count());
}

void Processor::Telemetry::dead_lettered(const observability::Logger& logger, Partition partition,
                                         std::span<const DeadLetter> letters) {
    const DeadLetter& first = letters.front();
    logger.warn("records went to the dead letters",
                {{"partition", static_cast<std::int64_t>(partition.value)},
                 {"records", static_cast<std::int64_t>(letters.size())},
                 {"firstOffset", first.offset.value},
                 {"reason", std::string_view(first.reason)},
                 {"detail", std::string_view(first.message)}});
}

}  // namespace adtally::processor
