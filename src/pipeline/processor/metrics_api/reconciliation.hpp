// Compares, minute by minute, what was accepted with what was appended and counted, and raises an
// alert where it differs.
//
// Design. At the end of each interval one reading of the status becomes a row in Redis, of sums
// since the beginning; of several processors the first one writes it. What is told is the change
// from row to row. A row that does not add up opens an incident ("reconciliation") in the stream
// of anomalies, from where it goes to every alert sink; the first that does again resolves it.
// Limits. Rows live a day; the last 60 are told. Without Redis or the log there is no row: the next
// one then spans more than an interval, and says so.
// Threads. One, "proc-books".
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "pipeline/processor/metrics_api/pipeline_status.hpp"
#include "platform/observability/log.hpp"
#include "platform/redis/client.hpp"

namespace adtally::metrics_api {

struct ReconcilerOptions {
    redis::ClientOptions redis;
    std::string topic;
    Milliseconds every{60'000};
};

class Reconciler {
public:
    enum class Written : std::uint8_t { nothing, row, opened, resolved };

    Reconciler(ReconcilerOptions options, eventlog::EventLog& log, ReadIntake intake,
               const Clock& clock);
    ~Reconciler();  // stop()
    Reconciler(const Reconciler&) = delete;

    void start();
    void stop();
    // Writes the row of the interval that `now` lies in, unless it is there; `conflict` where Redis
    // is not bound to our log.
    Result<Written> write(TimestampMs now);
    // Events by which the books differed when they were last read; 0 before.
    std::int64_t difference() const { return difference_; }

private:
    void run();

    const ReconcilerOptions options_;
    eventlog::EventLog& log_;
    const ReadIntake intake_;
    const Clock& clock_;
    redis::Client client_;
    std::atomic<std::int64_t> difference_{0};
    observability::Logger logger_{"reconciliation"};
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

// The last rows, oldest first: [{"from":…,"to":…,"accepted":…,"appended":…,…,"difference":0}].
Result<std::string> reconciliation_json(redis::Client& client, const std::string& topic,
                                        Milliseconds every, TimestampMs now);

}  // namespace adtally::metrics_api
