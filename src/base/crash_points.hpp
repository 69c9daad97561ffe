// Places at which a test may end the process as kill -9 would, to prove that no instruction
// between two effects loses or doubles a count.
//
// The table of crashes in pipeline/processor/redis_sink/README.md has a row for each. In production
// nothing is armed and `pass` is one comparison. Armed by `--crash-at NAME[:N]`: the N-th pass
// (default the first) ends the process at once with SIGKILL: no destructor, no flush, no handler.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace adtally {

enum class CrashPoint : std::uint8_t {
    none,
    log_before_commit,         // events accepted in memory, nothing durable, nothing answered
    log_after_commit,          // durable, not answered
    processor_after_fold,      // deltas in memory, Redis untouched
    processor_after_send,      // script sent, reply not read
    processor_after_flush,     // Redis applied, in-memory position not advanced
    processor_before_publish,  // applied, metric events and dead letters' hints not yet published
    processor_after_dead_letter,  // dead letter durable, the offset behind it not yet stored
    alert_before_delivery,        // incident durable in Redis, not delivered
    alert_after_delivery,         // delivered, the delivery not yet recorded
};

Result<CrashPoint> parse_crash_point(std::string_view name);

class CrashPoints {
public:
    CrashPoints() = default;
    // The `countdown`-th pass of `point` ends the process; countdown ≥ 1.
    CrashPoints(CrashPoint point, std::int64_t countdown) : point_(point), countdown_(countdown) {}

    void pass(CrashPoint point) noexcept {
        if (point == point_) [[unlikely]]
            count_down();
    }

private:
    void count_down() noexcept;

    CrashPoint point_ = CrashPoint::none;
    std::atomic<std::int64_t> countdown_{0};
};

}  // namespace adtally
