#include "domain/catalogue.hpp"

namespace adtally::domain {
namespace {

// A bid is not bounded as an event's amount is: saturate, as sums do. A negative one costs nothing.
Nanos bid_to_nanos(Micros amount) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    if (amount.value <= 0)
        return Nanos{0};
    return Nanos{amount.value > most / 1000 ? most : amount.value * 1000};
}

}  // namespace

Nanos cost_under(const Bid& bid, EventType type) {
    switch (bid.model) {
        case PricingModel::cpm:
            // amount micros / 1000 = amount nanos
            return type == EventType::impression && bid.amount.value > 0 ? Nanos{bid.amount.value}
                                                                         : Nanos{0};
        case PricingModel::cpc:
            return type == EventType::click ? bid_to_nanos(bid.amount) : Nanos{0};
        case PricingModel::cpa:
            return type == EventType::conversion ? bid_to_nanos(bid.amount) : Nanos{0};
    }
    return Nanos{0};
}

Nanos Catalogue::cost_of(const Event& event) const {
    if (event.has_cost)
        return to_nanos(event.cost);
    auto bid = bids_.find(event.campaign_id);
    return bid == bids_.end() ? Nanos{0} : cost_under(bid->second, event.type);
}

}  // namespace adtally::domain
