#include "pipeline/collector/lanes.hpp"

#include <functional>
#include <random>
#include <thread>

#include "base/assert.hpp"

namespace adtally::collector {

Lanes::Lanes(std::size_t count) {
    ADTALLY_ASSERT(count > 0);
    std::random_device source;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t high = source();
        lanes_.push_back(std::make_unique<Lane>(high << 32 | source()));
    }
}

Lanes::Taken Lanes::take() {
    // A thread's id is the address of its descriptor: the low bits are equal for all.
    std::size_t id = std::hash<std::thread::id>{}(std::this_thread::get_id());
    std::size_t first = (id ^ (id >> 32)) % lanes_.size();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        Lane& lane = *lanes_[(first + i) % lanes_.size()];
        std::unique_lock lock(lane.busy, std::try_to_lock);
        if (lock.owns_lock())
            return Taken(lane, std::move(lock));
    }
    Lane& lane = *lanes_[first];
    return Taken(lane, std::unique_lock(lane.busy));
}

}  // namespace adtally::collector
