#include "pipeline/collector/intake_report.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "domain/validation.hpp"

namespace adtally::collector {

IntakeReporter::IntakeReporter(IntakeReportOptions options, const Clock& clock,
                               std::function<IntakeSums()> sums)
    : options_(std::move(options)),
      clock_(clock),
      sums_(std::move(sums)),
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

Result<IntakeReporter::Before> IntakeReporter::read_before() {
    ADTALLY_TRY(const auto reply, client_.command({"HGET", options_.key, options_.spool}));
    if (reply.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the last report: " + reply.text};
    Before before;
    std::string_view text = reply.text;
    for (std::int64_t* number : {&before.accepted, &before.rejected}) {
        const std::size_t end = std::min(text.find(' '), text.size());
        *number = domain::parse_decimal(text.substr(0, end)).value_or(0);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return before;
}

Status IntakeReporter::report() {
    if (!before_) {
        ADTALLY_TRY(before_, read_before());
    }
    const IntakeSums sums = sums_();
    const std::string value =
        fmt::format("{} {} {} {} {}", before_->accepted + static_cast<std::int64_t>(sums.accepted),
                    before_->rejected + static_cast<std::int64_t>(sums.rejected), sums.waiting,
                    clock_.wall().value, options_.name);
    ADTALLY_TRY(const auto reply, client_.command({"HSET", options_.key, options_.spool, value}));
    if (reply.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the collector's report: " + reply.text};
    return ok();
}

}  // namespace adtally::collector
