// The log lines of requests: every answer from 500 on, and at level debug every one.
//
// A line carries the trace id of its request, so that a client's traceparent, the answer's problem
// and the log say the same. Limit: 10 lines a second; those above are counted and the count stands
// in the next line. Threads. Any.
#pragma once

#include <mutex>
#include <string>

#include "base/clock.hpp"
#include "platform/http/message.hpp"
#include "platform/observability/log.hpp"

namespace adtally::http {

class FailureLog {
public:
    explicit FailureLog(const observability::Logger& logger) : logger_(logger) {}

    void answered(const Request& request, int status, SteadyTime now);

private:
    static constexpr int lines_a_second = 10;

    const observability::Logger& logger_;
    std::mutex mutex_;
    SteadyTime second_{};
    int lines_ = 0;
    std::int64_t suppressed_ = 0;
};

}  // namespace adtally::http
