// Scratch objects of the hot path: a decoder, an id generator and buffers, one set a lane.
//
// Why. A Decoder belongs to one thread and is dear to make. Handlers run on the I/O threads, whose
// number the collector does not know; a lane is taken for as long as a request is decoded, and the
// first try goes to the lane that this thread had before, so it finds its own caches warm.
//
// Threads. Any; with at least as many lanes as threads nobody waits.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "domain/codec.hpp"
#include "domain/event.hpp"
#include "domain/ids.hpp"

namespace adtally::collector {

struct Lane {
    explicit Lane(std::uint64_t seed) : ids(seed) {}

    std::mutex busy;
    domain::Decoder decoder;
    domain::UuidV7Generator ids;
    domain::Event event;
    std::string user_agent;  // the request's own, when it had to be cleaned
    std::string encoded;     // an event whose size must be known before it is added
};

class Lanes {
public:
    explicit Lanes(std::size_t count);

    // Exclusive until the lock goes.
    class Taken {
    public:
        explicit Taken(Lane& lane, std::unique_lock<std::mutex> lock)
            : lane_(&lane), lock_(std::move(lock)) {}
        Lane* operator->() const { return lane_; }
        Lane& operator*() const { return *lane_; }

    private:
        Lane* lane_;
        std::unique_lock<std::mutex> lock_;
    };
    Taken take();

private:
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace adtally::collector
