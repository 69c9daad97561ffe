// Redis for tests: adds counts up, or is away.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "pipeline/collector/ports.hpp"
#include "pipeline/collector/realtime_redis.hpp"

namespace adtally::collector {

class FakeRealtimeStore final : public RealtimeStore {
public:
    Status add(std::span<const RealtimeCount> counts) override {
        std::lock_guard lock(mutex_);
        ++calls_;
        if (away_)
            return Error{ErrorCode::unavailable, "connection refused"};
        for (const RealtimeCount& entry : counts)
            stored_[realtime_key(entry.type, entry.epoch_second)] += entry.count;
        return ok();
    }

    void set_away(bool away) {
        std::lock_guard lock(mutex_);
        away_ = away;
    }
    std::map<std::string, std::uint64_t> stored() const {
        std::lock_guard lock(mutex_);
        return stored_;
    }
    int calls() const {
        std::lock_guard lock(mutex_);
        return calls_;
    }

private:
    mutable std::mutex mutex_;
    bool away_ = false;
    int calls_ = 0;
    std::map<std::string, std::uint64_t> stored_;
};

}  // namespace adtally::collector
