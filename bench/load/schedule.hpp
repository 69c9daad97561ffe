// The open loop: request k is due at start + k / rate, whatever happened to the requests before it.
//
// Latency is counted from the due time. A server that stalls for a second therefore shows a second
// of waiting in every request that was due meanwhile (no coordinated omission).
#pragma once

#include <chrono>
#include <cstdint>

namespace adtally::load {

using Nanoseconds = std::chrono::nanoseconds;
using Moment = std::chrono::steady_clock::time_point;

class Schedule {
public:
    Schedule(Moment start, double per_second) : start_(start), per_second_(per_second) {}

    Moment due(std::uint64_t index) const {
        // In two parts: a double holds no nanoseconds after a hundred days, nor after many hours
        // when the rate is no whole number.
        auto seconds = static_cast<double>(index) / per_second_;
        auto whole = static_cast<std::int64_t>(seconds);
        double rest = static_cast<double>(index) - static_cast<double>(whole) * per_second_;
        return start_ + std::chrono::seconds{whole} +
               Nanoseconds{static_cast<std::int64_t>(rest / per_second_ * 1e9)};
    }
    // How many requests are due before `end`.
    std::uint64_t count_before(Moment end) const {
        auto span = std::chrono::duration<double>(end - start_).count();
        auto count = span <= 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(span * per_second_);
        while (count > 0 && due(count - 1) >= end) {
            --count;
        }
        while (due(count) < end) {
            ++count;
        }
        return count;
    }

private:
    Moment start_;
    double per_second_;
};

}  // namespace adtally::load
