// Adds corrections to counts while processors go on counting: one script, all of it or nothing.
//
// A correction is a difference, and sums commute: whether a flush comes before or after it, the
// counts come out the same. So no offset is compared. What must not have happened since the counts
// were read: that Redis lost its newest writes - the shadow key, written after that reading, would
// be lost with them - or that somebody else corrected as well: the lease is then not this run's.
// In either case nothing is changed.
// The undated hour is what the dated one of the day it holds is, and is set to that, not added to:
// the two are damaged apart from each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/metric_delta.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/deltas.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

struct HourCorrection {
    std::int64_t ad = 0;
    domain::LocalHour hour;
    domain::MetricDelta delta;  // of the dated hour
    // The undated hour must hold this day, unless a newer one: it cannot have expired yet.
    bool recent = false;
};

struct Corrections {
    std::vector<processor::EntityDelta> ads;
    std::vector<processor::EntityDelta> campaigns;
    std::vector<HourCorrection> hours;
    std::vector<processor::DayDelta> days;

    bool empty() const { return ads.empty() && campaigns.empty() && hours.empty() && days.empty(); }
};

// What must still stand in Redis when counts are changed.
struct Guards {
    std::string shadow_key;
    std::string lease_key;
    std::string lease_holder;
};

// `conflict`: the shadow key is gone, or the lease another's. `invalid_argument`: a key holds
// something that is not ours. Nothing was changed then.
Status apply_corrections(redis::Client& client, const Guards& guards,
                         const Corrections& corrections);

}  // namespace adtally::redis_sink
