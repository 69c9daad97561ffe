// How long until an event that was sent can be read in Redis.
//
// Every 100 ms one thread posts an impression of an ad that nobody else uses; another asks Redis
// for the counters of all ads that are under way, once a millisecond. The time runs from the moment
// the post was due, so that a collector that stalls is not spared.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "load/histogram.hpp"
#include "load/schedule.hpp"
#include "platform/redis/client.hpp"

namespace adtally::load {

struct VisibilityResult {
    Histogram microseconds;
    std::uint64_t posted = 0;
    std::uint64_t refused = 0;  // not answered 2xx
    std::uint64_t lost = 0;     // acknowledged and not visible within 30 s, or at the end
};

class Visibility {
public:
    Visibility(std::string collector_url, redis::Endpoint redis);
    ~Visibility();

    // Forgets what was measured so far: the warm-up.
    void restart();
    // Waits for what is under way, at most 30 s, and ends the threads.
    VisibilityResult finish();

private:
    struct Probe {
        Moment due;
        bool acknowledged = false;
        bool counts = true;  // false: from before restart()
    };
    void post(std::stop_token stop);
    void watch(std::stop_token stop);
    bool pause_until(Moment moment, const std::stop_token& stop);
    void look(redis::Client& client);

    std::string url_;
    redis::Endpoint redis_;
    std::mutex mutex_;
    std::condition_variable_any never_;
    std::map<std::uint64_t, Probe> under_way_;  // by ad
    VisibilityResult result_;
    std::jthread poster_;
    std::jthread watcher_;
};

}  // namespace adtally::load
