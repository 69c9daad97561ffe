// The books of a replay, shared by the feed, the senders and the progress line.
//
// Threads: any; one mutex, taken per batch and never per event but for refused ones.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "app/replay/replay.hpp"

namespace adtally::replay {

class Statistics {
public:
    void events_read(std::uint64_t count);
    void batch_acknowledged(std::uint64_t accepted);
    // `example` is kept for the first of each code. At most 100 codes; the rest are "other".
    void rejected(std::string_view code, std::uint64_t count, std::string_view example);
    void retried(std::string_view trouble);
    ReplayResult snapshot() const;

private:
    mutable std::mutex mutex_;
    ReplayResult books_;
};

}  // namespace adtally::replay
