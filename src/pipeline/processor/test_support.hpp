// For tests only: a processor on its own thread, over a log of two partitions and a store in
// memory.
#pragma once

#include <gtest/gtest.h>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/fakes/memory_store.hpp"
#include "pipeline/processor/processor.hpp"
#include "pipeline/processor/test_events.hpp"

namespace adtally::processor {

class ProcessorTest : public testing::Test {
public:
    static constexpr std::int64_t start = 1'705'327'402'000;  // 2024-01-15T14:03:22Z

protected:
    void run() {
        Options options;
        options.flush_interval = Milliseconds{1};
        options.verify_interval = Milliseconds{5};
        options.backoff_min = Milliseconds{1};
        options.backoff_max = Milliseconds{5};
        options.restore_slice = Milliseconds{0};
        options.look_interval = Milliseconds{5};
        options.stalled_after = Milliseconds{20};
        processor_ = std::make_unique<Processor>(options, log_, store_, thresholds_, publisher_,
                                                 clock_, metrics_, crash_points_);
        processor_->start();
    }
    void stop() { processor_.reset(); }

    void put(std::int64_t ad, const std::string& id, std::int64_t at = start) {
        put_late(ad, id, at, at);
    }
    // As from a spool: received before it was appended.
    void put_late(std::int64_t ad, const std::string& id, std::int64_t received, std::int64_t at) {
        log_.put(static_cast<std::int32_t>(ad % 2), TimestampMs{at},
                 record({.ad = ad, .id = id, .cost_micros = 10, .received_ms = received}));
    }
    void eventually(const std::function<bool()>& condition) {
        Deadline deadline = Deadline::after(Milliseconds{20'000});
        std::mutex mutex;
        std::condition_variable never;
        while (!condition()) {
            ASSERT_FALSE(deadline.passed()) << "trouble: " << processor_->snapshot().trouble;
            std::unique_lock lock(mutex);
            never.wait_for(lock, Milliseconds{1});
        }
    }
    void eventually_troubled(const std::string& why) {
        eventually([&] { return processor_->snapshot().trouble.find(why) != std::string::npos; });
        EXPECT_EQ(processor_->health().status, observability::HealthStatus::down);
    }
    void eventually_well() {
        eventually([&] { return processor_->snapshot().ready; });
    }
    void eventually_counted(std::int64_t events) {
        eventually([&] { return store_.state().books.counted == events; });
    }

    SystemClock clock_;
    fakes::MemoryLog log_{2};
    fakes::MemoryStore store_;
    LiveThresholds thresholds_{Thresholds{}};
    MetricPublisher publisher_{log_, "ad-metrics", clock_, {}};
    observability::MetricRegistry metrics_{"test"};
    CrashPoints crash_points_;
    std::unique_ptr<Processor> processor_;
};

}  // namespace adtally::processor
