// The one source of chance of a world.
//
// SplitMix64: a seed gives the same numbers on every machine and with every standard library, whose
// distributions are not portable. Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"

namespace adtally::sim {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15ull;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
        return mixed ^ (mixed >> 31);
    }
    // 0 … n - 1, for n from 1 to 2^32.
    std::size_t below(std::size_t n) {
        ADTALLY_ASSERT(n >= 1 && n <= (std::size_t{1} << 32));
        return ((next() >> 32) * n) >> 32;
    }
    // first … last, both included.
    std::int64_t between(std::int64_t first, std::int64_t last) {
        return first + static_cast<std::int64_t>(below(static_cast<std::size_t>(last - first + 1)));
    }
    bool one_in(std::size_t n) { return below(n) == 0; }

private:
    std::uint64_t state_;
};

}  // namespace adtally::sim
