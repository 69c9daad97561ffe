// What a campaign bids, as the topic ad-catalog publishes it: the cost of events that carry none.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "domain/event.hpp"
#include "domain/ids.hpp"
#include "domain/money.hpp"

namespace adtally::domain {

enum class PricingModel : std::uint8_t { cpm, cpc, cpa };

struct Bid {
    PricingModel model = PricingModel::cpm;
    Micros amount;  // per thousand impressions, per click, per conversion
    friend bool operator==(const Bid&, const Bid&) = default;
};

// Cost of one event under a bid: CPM: amount/1000 an impression, CPC: amount a click, CPA: amount a
// conversion, nothing otherwise. Exact in nanos.
Nanos cost_under(const Bid& bid, EventType type);

// Bids by campaign. One thread.
class Catalogue {
public:
    void set(CampaignId campaign, Bid bid) { bids_[campaign] = bid; }
    bool empty() const { return bids_.empty(); }
    void remove(CampaignId campaign) { bids_.erase(campaign); }
    // The event's own cost, or else the campaign's bid, or else 0.
    Nanos cost_of(const Event& event) const;

private:
    std::unordered_map<CampaignId, Bid> bids_;
};

}  // namespace adtally::domain
