// What is compared: an ad, a campaign, an ad's hour or day. All that the log knows in the scope,
// all that Redis knows, and what the scope names by itself.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "pipeline/processor/rebuild/recount.hpp"
#include "platform/redis/client.hpp"

namespace adtally::rebuild {

struct Subject {
    enum class Kind : std::uint8_t { ad, campaign, hour, day };
    Kind kind = Kind::ad;
    std::int64_t id = 0;
    std::int64_t bucket = 0;  // hour or day
    friend auto operator<=>(const Subject&, const Subject&) = default;
};

// Of its keys, with the colon: ad:metrics:1:
std::string prefix_of(const Subject& subject);

// Each once. Reads the names of all keys in Redis.
Result<std::vector<Subject>> subjects_of(redis::Client& client, const Recount& recount);

}  // namespace adtally::rebuild
