// What this collector has taken in, told to those who compare it with the log and the counts.
//
// Problem. With several collectors nobody can say how many events were accepted but all of them
// together, those that are gone by now included.
// Design. One Redis hash; each run of a collector has a field of its own and overwrites it twice a
// second: "accepted rejected spooled drained milliseconds", sums since its start.
// Promise. A report is never more than the truth: what it says was accepted is in the log, or in
// the spool as far as it says so. A killed collector's last report is up to half a second old, so
// the sum of all may say less than was accepted, never more.
// Threads. One, "col-intake".
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/redis/client.hpp"

namespace adtally::collector {

struct IntakeSums {
    std::uint64_t accepted = 0;  // durable, in the log or the spool
    std::uint64_t rejected = 0;
    std::uint64_t spooled = 0;  // since the start
    std::uint64_t drained = 0;  // likewise
};

struct IntakeReportOptions {
    redis::ClientOptions redis;
    std::string key;   // of the hash
    std::string name;  // of this collector
    Milliseconds every{500};
};

class IntakeReporter {
public:
    // `sums` reads `accepted` before the others: what is in it is in them then.
    IntakeReporter(IntakeReportOptions options, const Clock& clock,
                   std::function<IntakeSums()> sums);
    ~IntakeReporter();  // stop()
    IntakeReporter(const IntakeReporter&) = delete;

    void start();
    // Reports once more.
    void stop();
    Status report();

private:
    void run();

    const IntakeReportOptions options_;
    const Clock& clock_;
    const std::function<IntakeSums()> sums_;
    const std::string field_;
    redis::Client client_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adtally::collector
