// The language of conversion postbacks, translated into the event's own fields.
//
// Networks call the same things by different names; these are understood:
//     click_id, clickid, cid                    → attributes.click_id
//     event, goal                               → attributes.event
//     value, payout, amount ("12.30")           → value_micros, exactly
//     ts (epoch seconds, milliseconds, RFC 3339) → timestamp
//     txid, transaction_id, order_id            → event_id, when none is given
//
// A transaction's id becomes "txid:CAMPAIGN:TXID", or "txid:CAMPAIGN:EVENT:TXID" when an event is
// named: two advertisers may both have an order 1001, and one order may be a signup and a purchase.
// What does not fit an event id (its characters, its 64 bytes) is replaced by the first 48 hex
// digits of its SHA-256 ("txid:sha256:…"): the same transaction always gives the same id, so a
// repeated postback is counted once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/validation.hpp"
#include "pipeline/collector/parameters.hpp"

namespace adtally::collector {

// Amount in units of a currency to micros: digits, optionally a point and 1–6 more (further zeros
// are allowed). Nothing for anything else or for more than an event may carry.
std::optional<std::int64_t> parse_money(std::string_view text);

// Renames and converts in place. A field given under two of its names is refused.
std::optional<domain::Rejection> translate_postback(Parameters& parameters);

std::string transaction_event_id(std::string_view campaign, std::string_view event,
                                 std::string_view transaction);

// Tokens of which a caller must know one. Comparing takes equally long whatever is presented.
class PostbackTokens {
public:
    explicit PostbackTokens(const std::vector<std::string>& tokens);
    bool required() const { return !digests_.empty(); }
    bool accept(std::string_view presented) const;

private:
    std::vector<std::string> digests_;  // SHA-256: equal lengths, and the tokens are not kept
};

}  // namespace adtally::collector
