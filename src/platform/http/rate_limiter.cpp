// See rate_limiter.hpp.
#include "platform/http/rate_limiter.hpp"

#include <algorithm>
#include <cmath>

#include "base/assert.hpp"

namespace adtally::http {

RateLimiter::RateLimiter(RateLimit limit)
    : per_second_(limit.per_second),
      burst_(std::max(limit.burst > 0 ? limit.burst : limit.per_second, 1.0)),
      max_per_shard_(std::max<std::size_t>(limit.max_entries / shard_count, 1)) {
    ADTALLY_ASSERT(limit.per_second > 0);
}

double RateLimiter::filled(const Bucket& bucket, SteadyTime now) const {
    double seconds = std::chrono::duration<double>(now - bucket.at).count();
    return std::min(burst_, bucket.tokens + std::max(seconds, 0.0) * per_second_);
}

int RateLimiter::admit(const IpAddress& client, SteadyTime now) {
    IpAddress key = limit_key(client);
    Shard& shard = shards_[IpHash{}(key) / 64 % shard_count];
    std::lock_guard lock(shard.mutex);
    auto found = shard.buckets.find(key);
    if (found == shard.buckets.end()) {
        if (shard.buckets.size() >= max_per_shard_)
            make_room(shard, now);
        found = shard.buckets.emplace(key, Bucket{burst_, now}).first;
    }
    Bucket& bucket = found->second;
    bucket.tokens = filled(bucket, now);
    bucket.at = now;
    if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return 0;
    }
    double wait = std::ceil((1 - bucket.tokens) / per_second_);
    return static_cast<int>(std::clamp(wait, 1.0, 3600.0));
}

// The sweep looks at every bucket, so it runs at most once a second.
void RateLimiter::make_room(Shard& shard, SteadyTime now) const {
    if (now >= shard.next_sweep) {
        shard.next_sweep = now + std::chrono::seconds(1);
        std::erase_if(shard.buckets,
                      [&](const auto& entry) { return filled(entry.second, now) >= burst_; });
    }
    if (shard.buckets.size() >= max_per_shard_)
        shard.buckets.erase(shard.buckets.begin());
}

std::size_t RateLimiter::entries() const {
    std::size_t sum = 0;
    for (const Shard& shard : shards_) {
        std::lock_guard lock(shard.mutex);
        sum += shard.buckets.size();
    }
    return sum;
}

}  // namespace adtally::http
