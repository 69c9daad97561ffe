// What a set of events adds to the counts: the unit that is folded, merged and flushed.
//
// `merge` is associative and commutative and has the zero as its neutral element (property-tested):
// events may be folded in any grouping and order and give the same counts.
#pragma once

#include <cstdint>

#include "domain/event.hpp"
#include "domain/money.hpp"

namespace adtally::domain {

struct MetricDelta {
    std::int64_t impressions = 0;
    std::int64_t clicks = 0;
    std::int64_t conversions = 0;
    Nanos cost;
    Nanos value;

    // Counts one event; `cost` is what it costs after the campaign's bid has been considered.
    void add(EventType type, Nanos event_cost, Nanos event_value);
    void merge(const MetricDelta& other);
    bool is_zero() const;
    friend bool operator==(const MetricDelta&, const MetricDelta&) = default;
};

// Ratios of absolute values: 6 decimal places, rounded half up.
// Micros of a currency unit for cpc and cpm; parts per million for ctr. -1: undefined (zero
// denominator). Exact for all non-negative inputs (128-bit arithmetic).
std::int64_t ctr_millionths(std::int64_t impressions, std::int64_t clicks);
std::int64_t cpc_micros(Nanos cost, std::int64_t clicks);
std::int64_t cpm_micros(Nanos cost, std::int64_t impressions);

}  // namespace adtally::domain
