// Identifiers of the trade.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/strong.hpp"

namespace adtally::domain {

using AdId = Strong<struct AdIdTag>;
using CampaignId = Strong<struct CampaignIdTag>;
using PublisherId = Strong<struct PublisherIdTag>;
using SlotId = Strong<struct SlotIdTag>;

// 1–64 of [A-Za-z0-9._:-].
bool is_event_id(std::string_view text);

// UUID version 7 (RFC 9562): 48 bits of `now`, then random bits, with a counter in rand_a so that
// ids of one generator ascend within a millisecond. 36 characters, lower case. One thread.
class UuidV7Generator {
public:
    explicit UuidV7Generator(std::uint64_t seed);  // seed: from the system's random source
    // Views `buffer_` until the next call.
    std::string_view next(TimestampMs now);

private:
    std::uint64_t random();

    std::array<std::uint64_t, 4> state_;  // xoshiro256**: unpredictability is not a goal here
    std::int64_t last_ms_ = 0;
    std::uint32_t counter_ = 0;
    std::array<char, 36> buffer_{};
};

}  // namespace adtally::domain
