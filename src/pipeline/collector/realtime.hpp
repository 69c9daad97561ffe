// Approximate counts of the last minutes, for dashboards: realtime:{type}:{epoch second} in Redis.
//
// Problem. Operators want to see traffic now. The exact metrics are the processor's; these counts
// stand beside the answer and must never be in its way.
//
// Design. A ring of one atomic cell for each type and second of the last 15 minutes. count() is one
// addition. A thread ("col-realtime") takes the cells' contents every 250 ms and adds them to the
// store in one pipelined exchange. While the store is away the ring itself is the memory: it cannot
// grow, and what is older than 15 minutes is dropped, as Redis would have dropped it.
//
// Promise. None but the bound: a crash loses up to one flush, a flush whose answer was lost is
// repeated and may count twice.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "pipeline/collector/event_counts.hpp"
#include "pipeline/collector/ports.hpp"
#include "platform/observability/log.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::collector {

inline constexpr std::int64_t realtime_window_seconds = 900;

class Realtime {
public:
    Realtime(RealtimeStore& store, const Clock& clock, observability::MetricRegistry& metrics,
             Milliseconds flush_every);
    ~Realtime();  // stop()
    Realtime(const Realtime&) = delete;

    // Any thread.
    void count(const EventCounts& counts, std::int64_t epoch_second);

    void start();
    // Flushes once more; blocks as long as the store does.
    void stop();
    // What the thread does at each tick. One thread.
    void flush();

private:
    // A power of two above the window, so that a second's cell is free again when it comes round.
    static constexpr std::size_t ring_seconds = 1024;
    using Cell = std::array<std::atomic<std::uint64_t>, event_types.size()>;

    Cell& cell_of(std::int64_t epoch_second) {
        return ring_[static_cast<std::size_t>(epoch_second) & (ring_seconds - 1)];
    }
    void run();
    void collect(std::int64_t now_second);
    void put_back();
    void report(const Status& status);

    RealtimeStore& store_;
    const Clock& clock_;
    const Milliseconds flush_every_;
    observability::Counter& dropped_;
    observability::Counter& failures_;
    observability::Logger log_{"collector.realtime"};

    std::array<Cell, ring_seconds> ring_{};
    std::vector<RealtimeCount> taken_;
    bool store_away_ = false;

    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adtally::collector
