#include "domain/catalogue.hpp"

#include <gtest/gtest.h>

namespace adtally::domain {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

Event event_of(EventType type, std::int64_t campaign) {
    Event event;
    event.type = type;
    event.campaign_id = CampaignId{campaign};
    return event;
}

TEST(Catalogue, ABidPaysForItsOwnTypeOfEvent) {
    const Bid cpm{PricingModel::cpm, Micros{2500}};
    EXPECT_EQ(cost_under(cpm, EventType::impression), Nanos{2500});  // 2.5 micros
    EXPECT_EQ(cost_under(cpm, EventType::click), Nanos{0});
    EXPECT_EQ(cost_under(cpm, EventType::conversion), Nanos{0});
    const Bid cpc{PricingModel::cpc, Micros{2500}};
    EXPECT_EQ(cost_under(cpc, EventType::impression), Nanos{0});
    EXPECT_EQ(cost_under(cpc, EventType::click), Nanos{2'500'000});
    EXPECT_EQ(cost_under(cpc, EventType::conversion), Nanos{0});
    const Bid cpa{PricingModel::cpa, Micros{2500}};
    EXPECT_EQ(cost_under(cpa, EventType::impression), Nanos{0});
    EXPECT_EQ(cost_under(cpa, EventType::click), Nanos{0});
    EXPECT_EQ(cost_under(cpa, EventType::conversion), Nanos{2'500'000});
}

TEST(Catalogue, AThousandImpressionsCostTheCpm) {
    const Bid cpm{PricingModel::cpm, Micros{1999}};
    Nanos sum;
    for (int impression = 0; impression < 1000; ++impression)
        sum = saturating_add(sum, cost_under(cpm, EventType::impression));
    EXPECT_EQ(sum, to_nanos(Micros{1999}));
}

TEST(Catalogue, ExtremeBidsNeitherOverflowNorPayBack) {
    EXPECT_EQ(cost_under({PricingModel::cpc, Micros{most}}, EventType::click), Nanos{most});
    EXPECT_EQ(cost_under({PricingModel::cpm, Micros{most}}, EventType::impression), Nanos{most});
    EXPECT_EQ(cost_under({PricingModel::cpc, Micros{-5}}, EventType::click), Nanos{0});
    EXPECT_EQ(cost_under({PricingModel::cpm, Micros{-5}}, EventType::impression), Nanos{0});
}

TEST(Catalogue, TheEventsOwnCostComesFirstThenTheBidThenNothing) {
    Catalogue catalogue;
    Event event = event_of(EventType::click, 1);
    EXPECT_EQ(catalogue.cost_of(event), Nanos{0});
    catalogue.set(CampaignId{1}, {PricingModel::cpc, Micros{10}});
    EXPECT_EQ(catalogue.cost_of(event), Nanos{10'000});
    event.has_cost = true;  // an explicit 0 is a cost
    EXPECT_EQ(catalogue.cost_of(event), Nanos{0});
    event.cost = Micros{max_event_micros};
    EXPECT_EQ(catalogue.cost_of(event), Nanos{max_event_micros * 1000});
    EXPECT_EQ(catalogue.cost_of(event_of(EventType::click, 2)), Nanos{0});
    catalogue.remove(CampaignId{1});
    EXPECT_EQ(catalogue.cost_of(event_of(EventType::click, 1)), Nanos{0});
}

TEST(Money, SumsSaturate) {
    EXPECT_EQ(saturating_add(Nanos{most}, Nanos{1}), Nanos{most});
    EXPECT_EQ(saturating_add(Nanos{most - 1}, Nanos{1}), Nanos{most});
    EXPECT_EQ(saturating_add(Nanos{1}, Nanos{2}), Nanos{3});
}

}  // namespace
}  // namespace adtally::domain
