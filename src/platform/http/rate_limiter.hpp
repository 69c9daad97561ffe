// Requests a second per client: a token bucket for each address.
//
// Bounded: at most `max_entries` buckets. A bucket that has filled up again says nothing and is
// evicted first; when all are in use, any other one makes room, so that a flood from countless
// addresses costs memory only up to the bound (and those addresses get a fresh bucket each: the
// limit on connections and on requests in flight is what holds then).
// Thread-safe; addresses are spread over shards with a lock each.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <unordered_map>

#include "base/clock.hpp"
#include "platform/http/client_address.hpp"

namespace adtally::http {

struct RateLimit {
    double per_second = 0;
    double burst = 0;  // 0: as many as a second brings
    std::size_t max_entries = 65'536;
};

class RateLimiter {
public:
    explicit RateLimiter(RateLimit limit);

    // 0: go on. Otherwise the whole seconds after which it is worth trying again.
    int admit(const IpAddress& client, SteadyTime now);
    std::size_t entries() const;

private:
    struct Bucket {
        double tokens;
        SteadyTime at;
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<IpAddress, Bucket, IpHash> buckets;
        SteadyTime next_sweep{};
    };
    void make_room(Shard& shard, SteadyTime now) const;
    double filled(const Bucket& bucket, SteadyTime now) const;

    static constexpr std::size_t shard_count = 16;
    const double per_second_;
    const double burst_;
    const std::size_t max_per_shard_;
    std::array<Shard, shard_count> shards_;
};

}  // namespace adtally::http
