// Compares the counts in Redis with a recount of the log, and corrects them if that is wished.
//
// Problem. Processors go on counting meanwhile, so neither side stands still.
// Design. Entities are taken in chunks. One MGET reads a chunk's counters together with the offsets
// of all partitions: a reading of one moment. The recount goes on to exactly these offsets, and
// then the two must be equal. What differs becomes a shadow key, adtally:rebuild:{run} (a hash: key
// to the value it should have had at that reading), and, if wished, a correction: the difference,
// added by one script a chunk, so that an entity's counts and ratios change in one step.
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
#include "pipeline/processor/rebuild/recount.hpp"
#include "pipeline/processor/redis_sink/correction_script.hpp"
#include "platform/redis/client.hpp"

namespace adtally::rebuild {

struct Difference {
    std::string key;  // in Redis
    std::int64_t stored = 0;
    std::int64_t recounted = 0;
};

struct ComparisonOptions {
    std::string topic = "ad-events";
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
    Result<ComparisonReport> run();

private:
    // An ad, a campaign, an ad's hour or day.
    struct Subject {
        enum class Kind : std::uint8_t { ad, campaign, hour, day };
        Kind kind = Kind::ad;
        std::int64_t id = 0;
        std::int64_t bucket = 0;  // hour or day
    };

    Result<std::vector<std::optional<Offset>>> bases();
    Result<std::vector<Subject>> subjects();
    Status add_stored_ids(std::vector<Subject>& all);
    Status compare(std::span<const Subject> chunk);
    Result<std::vector<Offset>> offsets_in(std::span<const redis::Reply> replies);
    Status keep(const std::vector<std::string>& shadow, const redis_sink::Corrections& corrections);
    static std::int64_t counters_in(domain::MetricDelta delta);
    domain::MetricDelta recounted(const Subject& subject) const;
    bool expired(const Subject& subject) const;
    domain::MetricDelta difference_of(const Subject& subject, const domain::MetricDelta& stored,
                                      std::vector<std::string>& shadow);
    static std::string prefix_of(const Subject& subject);

    redis::Client& client_;
    Recount& recount_;
    const Clock& clock_;
    ComparisonOptions options_;
    std::int32_t partitions_ = 0;
    std::vector<std::optional<Offset>> reached_;  // by Redis, at the last reading
    std::string shadow_key_;
    ComparisonReport report_;
};

}  // namespace adtally::rebuild
