// Compares the counts in Redis with a recount of the log, and corrects them if that is wished.
//
// Problem. Processors go on counting meanwhile, so neither side stands still.
// Design. Entities are taken in chunks. One MGET reads a chunk's counters together with the offsets
// of all partitions: a reading of one moment. The recount goes on to exactly these offsets, and
// then the two must be equal. What differs becomes a shadow key, adtally:rebuild:{run} (a hash: key
// to the value it should have had at that reading), and, if wished, a correction: the difference,
// added by one script a chunk, so that an entity's counts and ratios change in one step. Runs that
// correct hold a lease, one at a time (lease.hpp).
// Compared are the counters of what the log or Redis knows: totals, dated hours and days, and the
// undated hours of the last 46 hours, which cannot have expired. Ratios and top:ads:* follow from
// counts: they are written anew with each correction, and not looked at by themselves.
// Limits. Counters that have expired (hours after 35 days, days after 400) are left alone. Session
// clicks, windows and incidents are not counted again. Shadows live an hour.
// Threads. One.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "pipeline/processor/rebuild/lease.hpp"
#include "pipeline/processor/rebuild/recount.hpp"
#include "pipeline/processor/rebuild/subjects.hpp"
#include "pipeline/processor/redis_sink/correction_script.hpp"
#include "pipeline/processor/redis_sink/log_binding.hpp"
#include "platform/redis/client.hpp"

namespace adtally::rebuild {

struct Difference {
    std::string key;  // in Redis
    std::int64_t stored = 0;
    std::int64_t recounted = 0;
};

struct ComparisonOptions {
    std::string topic = "ad-events";
    redis_sink::CountingRules rules = {};  // of the recount; the processors' must be the same
    bool apply = false;
    bool reprice = false;  // also correct costs though bids are known (Recount::has_bids)
    std::function<void(const Difference&)> on_difference = {};
};

struct ComparisonReport {
    std::int64_t counters = 0;     // compared
    std::int64_t differences = 0;  // counters that differ
    std::int64_t corrected = 0;
    std::int64_t unpriced = 0;  // costs that differ and were left, for want of `reprice`
    std::string shadow_key;     // empty when nothing differs
};

class Comparison {
public:
    Comparison(redis::Client& client, Recount& recount, const Clock& clock,
               ComparisonOptions options);
    // Opens the recount by what Redis says was counted first, counts, compares, corrects.
    // `conflict`, with the remedy, when this Redis does not hold counts of this log by these rules
    // (preconditions.hpp), or another run corrects. `invalid_argument`: a key holds no count.
    Result<ComparisonReport> run();

private:
    // A chunk's differences.
    struct Found {
        std::vector<std::string> shadow;
        redis_sink::Corrections corrections;
        std::int64_t correctable = 0;  // counters
    };

    Result<std::vector<std::optional<Offset>>> bases();
    Status recall(Partition partition, Offset from);
    Status compare(std::span<const Subject> chunk);
    Result<std::vector<Offset>> offsets_in(std::span<const redis::Reply> replies);
    Status compare_one(const Subject& subject, std::span<const redis::Reply> stored, Found& found);
    // What must be added; what may not be is left 0.
    Result<domain::MetricDelta> difference_of(const Subject& subject,
                                              const domain::MetricDelta& stored, Found& found);
    Result<bool> undated_differs(const Subject& hour, std::span<const redis::Reply> stored,
                                 Found& found);
    void note(std::string key, std::int64_t stored, std::int64_t recounted, Found& found);
    Status keep(const Found& found);
    domain::MetricDelta recounted(const Subject& subject) const;
    bool expired(const Subject& subject) const;
    bool recent(const Subject& hour);

    redis::Client& client_;
    Recount& recount_;
    const Clock& clock_;
    ComparisonOptions options_;
    Lease lease_;
    eventlog::TopicInfo log_;
    std::vector<std::optional<Offset>> reached_;  // by Redis, at the last reading
    std::string shadow_key_;
    ComparisonReport report_;
};

}  // namespace adtally::rebuild
