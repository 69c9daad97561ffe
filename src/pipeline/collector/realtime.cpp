#include "pipeline/collector/realtime.hpp"

#include <pthread.h>

#include "base/assert.hpp"

namespace adtally::collector {

Realtime::Realtime(RealtimeStore& store, const Clock& clock, observability::MetricRegistry& metrics,
                   Milliseconds flush_every)
    : store_(store),
      clock_(clock),
      flush_every_(flush_every),
      dropped_(metrics.counter("adtally_collector_realtime_dropped_total",
                               "Realtime counts that grew older than their window unflushed")),
      failures_(metrics.counter("adtally_collector_realtime_flush_failures_total",
                                "Flushes of realtime counts that Redis did not take")) {}

Realtime::~Realtime() {
    stop();
}

void Realtime::count(const EventCounts& counts, std::int64_t epoch_second) {
    Cell& cell = cell_of(epoch_second);
    for (domain::EventType type : event_types) {
        if (std::uint32_t n = counts.of(type); n > 0)
            cell[static_cast<std::size_t>(type)].fetch_add(n, std::memory_order_relaxed);
    }
}

void Realtime::start() {
    ADTALLY_ASSERT(!thread_.joinable());
    thread_ = std::thread(&Realtime::run, this);
    pthread_setname_np(thread_.native_handle(), "col-realtime");
}

void Realtime::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void Realtime::run() {
    for (bool last = false; !last;) {
        {
            std::unique_lock lock(mutex_);
            last = wake_.wait_for(lock, flush_every_, [this] { return stopping_; });
        }
        flush();
    }
}

void Realtime::flush() {
    collect(clock_.wall().value / 1000);
    if (taken_.empty())
        return;
    Status status = store_.add(taken_);
    if (!status)
        put_back();
    report(status);
}

// One second ahead is looked at as well: the clock may have ticked since a request read it.
void Realtime::collect(std::int64_t now_second) {
    taken_.clear();
    std::int64_t newest = now_second + 1;
    for (std::int64_t age = 0; age < static_cast<std::int64_t>(ring_seconds); ++age) {
        std::int64_t second = newest - age;
        Cell& cell = cell_of(second);
        for (domain::EventType type : event_types) {
            std::atomic<std::uint64_t>& count = cell[static_cast<std::size_t>(type)];
            if (count.load(std::memory_order_relaxed) == 0)
                continue;
            std::uint64_t taken = count.exchange(0, std::memory_order_relaxed);
            if (now_second - second <= realtime_window_seconds)
                taken_.push_back({type, second, taken});
            else
                dropped_.add(static_cast<double>(taken));
        }
    }
}

void Realtime::put_back() {
    for (const RealtimeCount& entry : taken_) {
        cell_of(entry.epoch_second)[static_cast<std::size_t>(entry.type)].fetch_add(
            entry.count, std::memory_order_relaxed);
    }
}

// One line when the store goes and one when it is back, not one a flush.
void Realtime::report(const Status& status) {
    if (!status)
        failures_.add(1);
    if (!status && !store_away_) {
        log_.warn("realtime counts are not flushed; collection goes on",
                  {{"error", std::string_view(status.error().message)}});
    }
    if (status && store_away_)
        log_.info("realtime counts are flushed again");
    store_away_ = !status;
}

}  // namespace adtally::collector
