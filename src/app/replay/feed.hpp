// From files to batches: opens the readers, merges them, keeps the pace, cuts the batches.
//
// Pace: an event is due at start + (its time − the first event's time) / speed. Rows out of order
// are due at once when their time has passed. While waiting for the next event a batch that began
// 100 ms ago is sent as it is.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "app/replay/reader.hpp"
#include "app/replay/replay.hpp"
#include "app/replay/sender.hpp"
#include "app/replay/statistics.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::replay {

// When an event is due; events without a time are due at once.
class Pace {
public:
    Pace(double speed, SteadyTime start) : speed_(speed), start_(start) {}
    SteadyTime due(TimestampMs time);

private:
    double speed_;
    SteadyTime start_;
    std::optional<TimestampMs> first_;
};

// The events of all files in the order in which they are sent.
class Merge {
public:
    // By event time, or else file after file.
    Merge(std::vector<std::unique_ptr<EventReader>> readers, bool by_time, Statistics& statistics);
    std::optional<ReplayEvent> next();

private:
    struct Source {
        std::unique_ptr<EventReader> reader;
        std::deque<ReplayEvent> ready;
        TimestampMs latest{0};  // stands in for events without a time
    };
    bool fill(Source& source);

    std::vector<Source> sources_;
    bool by_time_;
    Statistics& statistics_;
};

// The latest event time of the files, 0 when no event carries one.
Result<TimestampMs> latest_time(const ReplayOptions& options);

class Feed {
public:
    using Submit = std::function<bool(Batch)>;

    // `options` and `statistics` outlive the feed.
    Feed(const ReplayOptions& options, Statistics& statistics, Submit submit);
    // Until the files end, `submit` refuses, or stop.
    Status run(std::stop_token stop);

private:
    Result<Merge> open();
    bool wait_until_due(SteadyTime due, std::stop_token stop);
    bool add(ReplayEvent event);
    bool flush();

    const ReplayOptions& options_;
    Statistics& statistics_;
    Submit submit_;
    Batch batch_;
    SteadyTime batch_began_{};
    std::mutex mutex_;
    std::condition_variable_any never_;  // waited on for its deadline and its stop token
};

}  // namespace adtally::replay
