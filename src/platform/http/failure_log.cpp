#include "platform/http/failure_log.hpp"

#include <utility>

namespace adtally::http {

using observability::Level;

void FailureLog::answered(const Request& request, int status, SteadyTime now) {
    bool failed = status >= 500;
    if (!failed && observability::level() > Level::debug)
        return;
    std::int64_t suppressed = 0;
    {
        std::lock_guard lock(mutex_);
        if (now - second_ >= std::chrono::seconds(1)) {
            second_ = now;
            lines_ = 0;
        }
        if (++lines_ > lines_a_second) {
            ++suppressed_;
            return;
        }
        suppressed = std::exchange(suppressed_, 0);
    }
    logger_.log(failed ? Level::warn : Level::debug, failed ? "request failed" : "request answered",
                {{"method", to_string(request.method)},
                 {"route", request.route.empty() ? request.path : request.route},
                 {"status", std::int64_t{status}},
                 {"client", request.client_ip},
                 {"suppressed", suppressed}},
                request.trace_id);
}

}  // namespace adtally::http
