// Says whether the promise was kept: what was sent, what the log holds, what Redis has counted.
//
// Two halves. The log must hold every acknowledged event, and the rule of deduplication must count
// it once and no event twice: a plain reading of the log from its beginning, which shares nothing
// with the processor. The rule is that of ADR 0003 and 0012: a record is a duplicate if one with
// its type and id lies at most a window before it; before its receipt, if it was appended late. And
// Redis must hold exactly the fold of that reading: per partition, per ad, per campaign, with costs
// that make each event unmistakable.
#pragma once

#include <string>

#include "sim/world/intake.hpp"
#include "sim/world/log_model.hpp"
#include "sim/world/redis_model.hpp"

namespace adtally::sim {

// Empty: all is as promised. Otherwise a line for each difference: expected, found.
std::string differences(Setting& setting, const Intake& intake, const LogModel& log,
                        const RedisState& found);

}  // namespace adtally::sim
