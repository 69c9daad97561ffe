// Latencies in microseconds, any number of them in constant memory.
//
// Values below 1,024 are kept exactly; above, each power of two has 512 buckets, so a percentile is
// at most 0.2 % too high. Mean and maximum are exact.
#pragma once

#include <cstdint>
#include <vector>

namespace adtally::load {

class Histogram {
public:
    Histogram();
    void add(std::uint64_t microseconds);
    void merge(const Histogram& other);

    std::uint64_t count() const { return count_; }
    double mean() const;
    std::uint64_t max() const { return max_; }
    // The smallest recorded value that `share` (0 … 1) of all do not exceed; 0 when empty.
    std::uint64_t percentile(double share) const;

private:
    std::vector<std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace adtally::load
