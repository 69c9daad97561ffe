#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace adtally::load {
namespace {

constexpr unsigned precision_bits = 9;  // 512 buckets a power of two
constexpr std::uint64_t exact_below = std::uint64_t{1} << (precision_bits + 1);
constexpr std::uint64_t most = (std::uint64_t{1} << 40) - 1;  // twelve days

std::size_t bucket_of(std::uint64_t value) {
    if (value < exact_below) {
        return static_cast<std::size_t>(value);
    }
    auto shift = static_cast<unsigned>(std::bit_width(value)) - (precision_bits + 1);
    return (std::size_t{shift} << precision_bits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t highest_in(std::size_t bucket) {
    if (bucket < exact_below) {
        return bucket;
    }
    std::size_t shift = (bucket >> precision_bits) - 1;
    std::uint64_t mantissa = bucket - (shift << precision_bits);
    return ((mantissa + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(most) + 1) {}

void Histogram::add(std::uint64_t microseconds) {
    std::uint64_t value = std::min(microseconds, most);
    buckets_[bucket_of(value)] += 1;
    count_ += 1;
    sum_ += value;
    max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        buckets_[i] += other.buckets_[i];
    }
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

double Histogram::mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::percentile(double share) const {
    if (count_ == 0) {
        return 0;
    }
    auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    rank = std::clamp<std::uint64_t>(rank, 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
        seen += buckets_[bucket];
        if (seen >= rank) {
            return std::min(highest_in(bucket), max_);
        }
    }
    return max_;
}

}  // namespace adtally::load
