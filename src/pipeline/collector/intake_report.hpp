// What this collector has taken in, told to those who compare it with the log and the counts.
//
// Problem. With several collectors nobody can say how many events were accepted but all of them
// together, those that are gone by now included.
// Design. One Redis hash, with one field for each spool: the collector that works on it overwrites
// it twice a second: "accepted rejected waiting milliseconds name". The first two are sums of all
// runs on this spool: a run reads what its predecessors reported, once, and adds its own. Waiting
// is what lies in the spool now, whoever put it there: the next run says it anew. Promise. A report
// is never more than the truth: what it says was accepted is in the log, or in the spool as far as
// it says so. A killed collector's last report is up to half a second old, so the sum of all may
// say less than was accepted, never more. The hash has as many fields as there were spools, besides
// those that an older version left there, one for each run: the fifth word tells them apart.
// Threads. One, "col-intake".
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/redis/client.hpp"

namespace adtally::collector {

struct IntakeSums {
    std::uint64_t accepted = 0;  // since the start; durable, in the log or the spool
    std::uint64_t rejected = 0;  // likewise
    std::uint64_t waiting = 0;   // of those, or of an earlier run's, in the spool
};

struct IntakeReportOptions {
    redis::ClientOptions redis;
    std::string key;    // of the hash
    std::string spool;  // the field: the same for each run on the same spool, and for no other
    std::string name;   // of this collector, for those who look into the hash
    Milliseconds every{500};
};

class IntakeReporter {
public:
    // `sums` reads `accepted` before `waiting`: what is in it is in the log or there then.
    IntakeReporter(IntakeReportOptions options, const Clock& clock,
                   std::function<IntakeSums()> sums);
    ~IntakeReporter();  // stop()
    IntakeReporter(const IntakeReporter&) = delete;

    void start();
    // Reports once more: when nothing is accepted or passed on any more.
    void stop();
    Status report();

private:
    // What the spool's earlier runs have taken in.
    struct Before {
        std::int64_t accepted = 0;
        std::int64_t rejected = 0;
    };
    void run();
    Result<Before> read_before();

    const IntakeReportOptions options_;
    const Clock& clock_;
    const std::function<IntakeSums()> sums_;
    redis::Client client_;
    std::optional<Before> before_;  // once Redis has told
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adtally::collector
