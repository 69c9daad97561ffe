#include "base/crash_points.hpp"

#include <unistd.h>
#include <array>
#include <csignal>
#include <string>

namespace adtally {
namespace {

struct Named {
    std::string_view name;
    CrashPoint point;
};

constexpr std::array points{
    Named{"log-before-commit", CrashPoint::log_before_commit},
    Named{"log-after-commit", CrashPoint::log_after_commit},
    Named{"processor-after-fold", CrashPoint::processor_after_fold},
    Named{"processor-after-send", CrashPoint::processor_after_send},
    Named{"processor-after-flush", CrashPoint::processor_after_flush},
    Named{"processor-before-publish", CrashPoint::processor_before_publish},
    Named{"processor-after-dead-letter", CrashPoint::processor_after_dead_letter},
    Named{"alert-before-delivery", CrashPoint::alert_before_delivery},
    Named{"alert-after-delivery", CrashPoint::alert_after_delivery},
};

}  // namespace

Result<CrashPoint> parse_crash_point(std::string_view name) {
    std::string known;
    for (const Named& candidate : points) {
        if (candidate.name == name)
            return candidate.point;
        known += known.empty() ? "" : ", ";
        known += candidate.name;
    }
    return Error{ErrorCode::invalid_argument,
                 "no crash point '" + std::string(name) + "'; known: " + known};
}

void CrashPoints::count_down() noexcept {
    if (countdown_.fetch_sub(1, std::memory_order_relaxed) == 1)
        ::kill(::getpid(), SIGKILL);
}

}  // namespace adtally
