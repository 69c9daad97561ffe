#include "pipeline/collector/intake_report.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <utility>

namespace adtally::collector {

IntakeReporter::IntakeReporter(IntakeReportOptions options, const Clock& clock,
                               std::function<IntakeSums()> sums)
    : options_(std::move(options)),
      clock_(clock),
      sums_(std::move(sums)),
      field_(fmt::format("{}/{}", options_.name, clock.wall().value)),
      client_(options_.redis) {}

IntakeReporter::~IntakeReporter() {
    stop();
}

void IntakeReporter::start() {
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "col-intake");
        run();
    });
}

void IntakeReporter::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void IntakeReporter::run() {
    for (bool last = false; !last;) {
        {
            std::unique_lock lock(mutex_);
            last = wake_.wait_for(lock, options_.every, [this] { return stopping_; });
        }
        // Redis away: the next report says all of it. Its absence is the processors' to tell.
        (void)report();
    }
}

Status IntakeReporter::report() {
    const IntakeSums sums = sums_();
    const std::string value = fmt::format("{} {} {} {} {}", sums.accepted, sums.rejected,
                                          sums.spooled, sums.drained, clock_.wall().value);
    ADTALLY_TRY(const auto reply, client_.command({"HSET", options_.key, field_, value}));
    if (reply.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the collector's report: " + reply.text};
    return ok();
}

}  // namespace adtally::collector
