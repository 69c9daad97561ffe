// An event log for tests: takes batches and completes them when it is told to, as it is told to.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "platform/eventlog/event_log.hpp"

namespace adtally::collector {

class FakeProducer final : public eventlog::Producer {
public:
    struct Appended {
        std::string topic;
        eventlog::RecordBatch batch;
    };

    void append(std::string_view topic, eventlog::RecordBatch batch,
                eventlog::AppendDone done) override {
        {
            std::lock_guard lock(mutex_);
            if (hold_) {
                held_.push_back({{std::string(topic), std::move(batch)}, std::move(done)});
                return;
            }
            if (outcome_)
                appended_.push_back({std::string(topic), std::move(batch)});
        }
        done(outcome_);
    }
    eventlog::LogHealth health() const override { return health_; }
    std::size_t max_record_bytes() const override { return max_record_bytes_; }

    // From now on appends wait; otherwise they end at once.
    void hold() { hold_ = true; }
    void complete_with(Status outcome) { outcome_ = std::move(outcome); }
    // Ends the oldest append that waits.
    void release(Status outcome = ok()) {
        std::unique_lock lock(mutex_);
        Held held = std::move(held_.front());
        held_.pop_front();
        if (outcome)
            appended_.push_back(std::move(held.appended));
        lock.unlock();
        held.done(std::move(outcome));
    }
    std::size_t waiting() const {
        std::lock_guard lock(mutex_);
        return held_.size();
    }
    // Only while nothing appends.
    const std::vector<Appended>& appended() const { return appended_; }
    void set_health(eventlog::LogHealth health) { health_ = std::move(health); }
    void set_max_record_bytes(std::size_t bytes) { max_record_bytes_ = bytes; }

private:
    struct Held {
        Appended appended;
        eventlog::AppendDone done;
    };
    mutable std::mutex mutex_;
    bool hold_ = false;
    Status outcome_ = ok();
    std::deque<Held> held_;
    std::vector<Appended> appended_;
    eventlog::LogHealth health_;
    std::size_t max_record_bytes_ = 1'000'000;
};

}  // namespace adtally::collector
