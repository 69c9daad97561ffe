// Money is integers: micros (10^-6 of a currency unit) on the wire, nanos (10^-9) when summed.
//
// Sums of amounts that are never negative saturate at the largest value instead of wrapping.
// Saturating addition of non-negative numbers is associative and commutative, so merging deltas in
// any order still gives one result.
#pragma once

#include <cstdint>
#include <limits>

#include "base/strong.hpp"

namespace adtally::domain {

using Micros = Strong<struct MicrosTag>;
using Nanos = Strong<struct NanosTag>;

inline constexpr std::int64_t max_event_micros = 1'000'000'000'000;

constexpr Nanos saturating_add(Nanos a, Nanos b) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    return Nanos{a.value > most - b.value ? most : a.value + b.value};
}

// ≤ max_event_micros, so it cannot overflow.
constexpr Nanos to_nanos(Micros micros) {
    return Nanos{micros.value * 1000};
}

}  // namespace adtally::domain
