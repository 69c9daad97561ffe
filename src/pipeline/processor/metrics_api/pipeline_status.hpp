// Do the books add up? From the collector's acknowledgements to Redis' counts.
//
//   accepted   events taken in: answered 2xx, or durable after the answer had gone out (a click's
//              redirect waits 50 ms); those of earlier runs included
//   appended   records in the log
//   processed  records behind the stored offsets = counted + duplicates + dead_lettered + expired
//   in_flight  appended - processed
// `balanced` is true when, in one reading, every partition's books add up to its offset, no offset
// is beyond its log, and accepted ≤ appended (more may be appended than accepted: an append whose
// answer was cut off is in the log and was not acknowledged).
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
};

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
    bool balanced() const;
    std::int64_t lag() const { return end - (started ? offset : begin); }
};

Result<std::vector<PartitionBooks>> read_books(redis::Client& client, const std::string& topic,
                                               const std::vector<eventlog::Watermarks>& log);

std::string status_json(const std::vector<PartitionBooks>& partitions, const Intake& intake);

}  // namespace adtally::metrics_api
