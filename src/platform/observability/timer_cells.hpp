// The timer's hot path. prometheus-cpp's histogram takes a mutex for each observation: cheap until
// a thread loses its processor while it holds it, and then every other one waits with it. Here an
// observation is three atomic operations and a look at the clock; nobody waits for anybody.
//
// The maximum decays as Micrometer's does: three slots of 40 s, of which the current and the two
// before it count. A slot is one 64-bit word, its period above the maximum in microseconds, so that
// "a newer period wins, within a period the larger value" is one atomic maximum.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::observability {

class TimerCells final : public Timer {
public:
    static constexpr std::array<double, 13> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                       0.25,  0.5,    1.0,   2.5,  5.0,   10.0};
    struct Snapshot {
        std::array<std::uint64_t, kBounds.size() + 1> cumulative{};  // the last is the count
        double sum_seconds = 0;
        double max_seconds = 0;
    };

    explicit TimerCells(const Clock& clock) : clock_(clock) {}
    // Negative or not a number counts as zero.
    void observe_seconds(double seconds) override;
    Snapshot snapshot() const;

private:
    static constexpr std::uint32_t kSlots = 3;
    std::uint32_t period() const;

    const Clock& clock_;
    alignas(64) std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> counts_{};
    std::atomic<std::uint64_t> sum_ns_{0};
    std::array<std::atomic<std::uint64_t>, kSlots> max_slots_{};
};

}  // namespace adtally::observability
