#include "platform/observability/timer_cells.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace adtally::observability {
namespace {

constexpr std::chrono::seconds kSlotSpan{40};
constexpr double kLongestSeconds = 1e6;
constexpr auto kRelaxed = std::memory_order_relaxed;

std::uint32_t saturated_micros(double seconds) {
    const double micros = seconds * 1e6 + 0.5;
    constexpr double kMost = std::numeric_limits<std::uint32_t>::max();
    return micros >= kMost ? std::numeric_limits<std::uint32_t>::max()
                           : static_cast<std::uint32_t>(micros);
}

void raise_to(std::atomic<std::uint64_t>& slot, std::uint64_t value) {
    std::uint64_t seen = slot.load(kRelaxed);
    while (seen < value && !slot.compare_exchange_weak(seen, value, kRelaxed)) {
    }
}

}  // namespace

std::uint32_t TimerCells::period() const {
    return static_cast<std::uint32_t>(clock_.steady().time_since_epoch() / kSlotSpan);
}

void TimerCells::observe_seconds(double seconds) {
    const double bounded = seconds > 0 ? std::min(seconds, kLongestSeconds) : 0;
    const auto bucket = static_cast<std::size_t>(
        std::lower_bound(kBounds.begin(), kBounds.end(), bounded) - kBounds.begin());
    counts_[bucket].fetch_add(1, kRelaxed);
    sum_ns_.fetch_add(static_cast<std::uint64_t>(bounded * 1e9 + 0.5), kRelaxed);
    const std::uint32_t now = period();
    raise_to(max_slots_[now % kSlots],
             (static_cast<std::uint64_t>(now) << 32) | saturated_micros(bounded));
}

TimerCells::Snapshot TimerCells::snapshot() const {
    Snapshot out;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        count += counts_[i].load(kRelaxed);
        out.cumulative[i] = count;
    }
    out.sum_seconds = static_cast<double>(sum_ns_.load(kRelaxed)) / 1e9;
    const std::uint32_t now = period();
    for (const auto& slot : max_slots_) {
        const std::uint64_t word = slot.load(kRelaxed);
        const auto written = static_cast<std::uint32_t>(word >> 32);
        if (now - written < kSlots)
            out.max_seconds =
                std::max(out.max_seconds, static_cast<double>(word & 0xFFFFFFFFu) / 1e6);
    }
    return out;
}

}  // namespace adtally::observability
