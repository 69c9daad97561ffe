// One `rebuild --apply` at a time.
//
// Problem. A correction is a difference: found by two and added by both, it is wrong again.
// Design. An expiring key in Redis that names the run. It is renewed while the log is counted, and
// the correction script looks for this run's name in it, in the step that changes the counts: a run
// that lost the lease, asleep or cut off, changes nothing any more.
// Threads. One.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/redis/client.hpp"

namespace adtally::rebuild {

class Lease {
public:
    static constexpr Milliseconds lifetime{60'000};

    Lease(redis::Client& client, std::string key, const Clock& clock);
    ~Lease();  // gives it back
    Lease(const Lease&) = delete;

    // `conflict` when another run holds it.
    Status take();
    // Asks Redis four times in a lifetime, however often it is called. `conflict` when it is lost.
    Status renew();
    const std::string& key() const { return key_; }
    // Empty unless it was taken.
    const std::string& holder() const { return holder_; }

private:
    redis::Client& client_;
    const std::string key_;
    const Clock& clock_;
    std::string holder_;
    SteadyTime renewed_{};
};

}  // namespace adtally::rebuild
