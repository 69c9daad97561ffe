// Do the books add up? From the collectors' acknowledgements to Redis' counts.
//
//   accepted   events taken in: answered 2xx, or durable after the answer had gone out (a click's
//              redirect waits 50 ms); those of earlier runs included
//   spooled    of those, waiting in the collectors' spools, as each said last
//   appended   records in the log
//   processed  records behind the stored offsets = counted + duplicates + dead_lettered + expired
//   in_flight  appended - processed
//
// What must hold, in one reading:
//   accepted ≤ appended + spooled      else acknowledged events are missing
//   appended = counted + duplicates + dead_lettered + expired + in_flight, partition by partition,
//   and no offset lies beyond its log  else records were lost or counted twice
// `difference` is by how many events it does not hold; `balanced` says that it is 0. More may be
// appended than accepted (`unclaimed`): an append whose answer was cut off, a repeated one, another
// writer's. The readings are taken in the order of the sums: each before the one it must not
// exceed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/redis/client.hpp"

namespace adtally::metrics_api {

// What the collectors say of themselves.
struct Intake {
    std::int64_t accepted = 0;
    std::int64_t rejected = 0;
    std::int64_t spooled = 0;
};
using ReadIntake = std::function<Result<Intake>(redis::Client&)>;

// The sum of what collectors report to the hash `key` (collector/intake_report.hpp). Fields that an
// older version has left there ("accepted rejected spooled drained milliseconds") still tell what
// was accepted, but not what waits: their collectors are gone, and what had waited is told by who
// works on that spool now. Told twice, it would hide the loss of as many events.
Result<Intake> read_reported_intake(redis::Client& client, const std::string& key);

struct PartitionBooks {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    bool started = false;  // Redis holds an offset
    std::int64_t base = 0;
    std::int64_t offset = 0;
    std::int64_t counted = 0;
    std::int64_t duplicates = 0;
    std::int64_t dead_lettered = 0;
    std::int64_t expired = 0;
    // By how many records the books are wrong; 0 when they add up.
    std::int64_t difference() const;
    std::int64_t lag() const { return end - (started ? offset : begin); }
};

struct PipelineStatus {
    Intake intake;
    std::vector<PartitionBooks> partitions;

    PartitionBooks sum() const;
    std::int64_t in_flight() const;
    std::int64_t difference() const;
};

Result<PipelineStatus> read_status(redis::Client& client, eventlog::EventLog& log,
                                   const std::string& topic, const ReadIntake& intake);

// `minutes`: JSON of the reconciliation's rows, "[…]".
std::string status_json(const PipelineStatus& status, const std::string& minutes);

}  // namespace adtally::metrics_api
