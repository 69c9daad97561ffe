// Adds corrections to counts while processors go on counting: one script, all of it or nothing.
//
// A correction is a difference, and sums commute: whether a flush comes before or after it, the
// counts come out the same. So no offset is compared. What must not have happened since the counts
// were read is that Redis lost its newest writes: the shadow key, written after that reading, would
// be lost with them, and then nothing is changed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/metric_delta.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/deltas.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

struct Corrections {
    std::vector<processor::EntityDelta> ads;
    std::vector<processor::EntityDelta> campaigns;
    std::vector<processor::HourDelta> hours;
    std::vector<processor::DayDelta> days;

    bool empty() const { return ads.empty() && campaigns.empty() && hours.empty() && days.empty(); }
};

// `conflict`: the shadow key is gone. `invalid_argument`: a key holds something that is not ours;
// nothing was changed.
Status apply_corrections(redis::Client& client, const std::string& shadow_key,
                         const Corrections& corrections);

}  // namespace adtally::redis_sink
