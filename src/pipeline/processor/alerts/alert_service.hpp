// Delivers every anomaly to every sink, and closes incidents that went quiet.
//
// Problem. An incident must reach its sinks once (one alert an incident, not one an event), also
// when the process dies between noticing and telling, and one dead sink must not hold up another.
// Design. The flush script writes an incident to the stream `anomalies` in the same step as the
// counts: the stream is an outbox. Each sink has a worker with a cursor in Redis; it delivers in
// order, stores the cursor, and repeats with back-off what fails. Of several processors one holds
// a sink's lease.
// Promise. At least once to each sink, in order; repetitions carry the same idempotency key. A sink
// that is away while 10,000 further anomalies happen loses the oldest.
// Threads. "proc-alert" one a sink, "proc-sweep".
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/crash_points.hpp"
#include "base/result.hpp"
#include "pipeline/processor/alerts/sink.hpp"
#include "platform/observability/metrics.hpp"
#include "platform/redis/client.hpp"

namespace adtally::alerts {

struct AlertOptions {
    redis::ClientOptions redis;
    std::string instance;  // who holds the leases
    // The log whose incidents are told: in a Redis that counts another one nothing is told, and
    // nothing written. Without it every Redis is ours.
    std::function<Result<std::string>()> log_id = nullptr;
    std::string topic = "ad-events";
    Milliseconds poll_interval{200};
    Milliseconds lease{15'000};
    Milliseconds backoff_min{1'000};
    Milliseconds backoff_max{60'000};
    Milliseconds sweep_interval{5'000};
    Milliseconds quiet_closes_after{300'000};  // no event of the entity for this long
};

// A flag with a wait: how the workers of one service are told to stop.
class StopSignal {
public:
    void request();
    bool requested() const;
    // True if stopped within `span`.
    bool wait(Milliseconds span);

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool requested_ = false;
};

class AlertService {
public:
    AlertService(AlertOptions options, std::vector<std::unique_ptr<AlertSink>> sinks,
                 const Clock& clock, observability::MetricRegistry& metrics,
                 CrashPoints& crash_points);
    ~AlertService();

    // Call before the processor starts: sinks that are new begin where the stream ends then.
    void start();
    void stop();

private:
    class Worker;
    void sweep();

    AlertOptions options_;
    const Clock& clock_;
    StopSignal stop_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::thread> threads_;
};

}  // namespace adtally::alerts
