#include "domain/metric_delta.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <random>
#include <vector>

namespace adtally::domain {
namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

// Numbers of every size, the extremes among them.
class Numbers {
public:
    explicit Numbers(std::uint64_t seed) : random_(seed) {}

    std::int64_t next() {
        switch (below(8)) {
            case 0:
                return 0;
            case 1:
                return most;
            case 2:
                return most - static_cast<std::int64_t>(below(3));
            default:
                return static_cast<std::int64_t>((random_() >> 1) >> below(63));
        }
    }
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    MetricDelta delta() { return {next(), next(), next(), Nanos{next()}, Nanos{next()}}; }

private:
    std::mt19937_64 random_;
};

MetricDelta merged(MetricDelta a, const MetricDelta& b) {
    a.merge(b);
    return a;
}

class MetricDeltaProperty : public ::testing::Test {
protected:
    MetricDeltaProperty() : seed_(std::random_device{}()), numbers_(seed_) {}
    std::uint64_t seed_;
    Numbers numbers_;
};

TEST_F(MetricDeltaProperty, MergeIsAssociativeAndCommutativeWithANeutralElement) {
    SCOPED_TRACE("seed " + std::to_string(seed_));
    for (int round = 0; round < 100'000; ++round) {
        MetricDelta a = numbers_.delta();
        MetricDelta b = numbers_.delta();
        MetricDelta c = numbers_.delta();
        ASSERT_EQ(merged(merged(a, b), c), merged(a, merged(b, c)));
        ASSERT_EQ(merged(a, b), merged(b, a));
        ASSERT_EQ(merged(a, MetricDelta{}), a);
        ASSERT_EQ(merged(MetricDelta{}, a), a);
    }
}

struct Counted {
    EventType type;
    Nanos cost;
    Nanos value;
};

MetricDelta fold(const Counted* begin, const Counted* end) {
    MetricDelta delta;
    for (; begin != end; ++begin)
        delta.add(begin->type, begin->cost, begin->value);
    return delta;
}

TEST_F(MetricDeltaProperty, EventsFoldInAnySplitAndOrder) {
    SCOPED_TRACE("seed " + std::to_string(seed_));
    for (int round = 0; round < 1000; ++round) {
        std::vector<Counted> events;
        for (std::uint64_t left = numbers_.below(60); left > 0; --left) {
            events.push_back({static_cast<EventType>(numbers_.below(3)), Nanos{numbers_.next()},
                              Nanos{numbers_.next()}});
        }
        const MetricDelta whole = fold(events.data(), events.data() + events.size());

        std::shuffle(events.begin(), events.end(), std::mt19937_64{numbers_.below(most)});
        std::vector<MetricDelta> parts;
        for (std::size_t at = 0; at < events.size();) {
            std::size_t length = std::min(events.size() - at, 1 + numbers_.below(10));
            parts.push_back(fold(events.data() + at, events.data() + at + length));
            at += length;
        }
        std::shuffle(parts.begin(), parts.end(), std::mt19937_64{numbers_.below(most)});
        MetricDelta sum;
        for (const MetricDelta& part : parts)
            sum.merge(part);
        ASSERT_EQ(sum, whole);
    }
}

TEST(MetricDelta, CountsEachTypeInItsOwnPlace) {
    MetricDelta delta;
    EXPECT_TRUE(delta.is_zero());
    delta.add(EventType::impression, Nanos{5}, Nanos{0});
    delta.add(EventType::click, Nanos{7}, Nanos{0});
    delta.add(EventType::click, Nanos{0}, Nanos{0});
    delta.add(EventType::conversion, Nanos{0}, Nanos{9});
    EXPECT_EQ(delta, (MetricDelta{1, 2, 1, Nanos{12}, Nanos{9}}));
    EXPECT_FALSE(delta.is_zero());
}

TEST(Ratio, IsRoundedHalfUpToSixPlaces) {
    EXPECT_EQ(ctr_millionths(3, 1), 333'333);
    EXPECT_EQ(ctr_millionths(3, 2), 666'667);
    EXPECT_EQ(ctr_millionths(2'000'000, 1), 1);  // 0.5 rounds up
    EXPECT_EQ(ctr_millionths(2'000'001, 1), 0);
    EXPECT_EQ(ctr_millionths(10, 0), 0);
    EXPECT_EQ(ctr_millionths(1, 5), 5'000'000);  // clicks without impressions seen
    EXPECT_EQ(cpc_micros(Nanos{2'500'000}, 2), 1250);
    EXPECT_EQ(cpc_micros(Nanos{500}, 1), 1);
    EXPECT_EQ(cpc_micros(Nanos{499}, 1), 0);
    EXPECT_EQ(cpm_micros(Nanos{2'500'000}, 1000), 2500);
    EXPECT_EQ(cpm_micros(Nanos{1}, 2), 1);
}

TEST(Ratio, OfNothingIsUndefined) {
    EXPECT_EQ(ctr_millionths(0, 5), -1);
    EXPECT_EQ(cpc_micros(Nanos{5}, 0), -1);
    EXPECT_EQ(cpm_micros(Nanos{5}, 0), -1);
}

TEST(Ratio, SaturatesInsteadOfOverflowing) {
    EXPECT_EQ(ctr_millionths(most, most), 1'000'000);
    EXPECT_EQ(ctr_millionths(1, most), most);
    EXPECT_EQ(cpc_micros(Nanos{most}, 1), 9'223'372'036'854'776);
    EXPECT_EQ(cpc_micros(Nanos{most}, most), 0);
    EXPECT_EQ(cpm_micros(Nanos{most}, 1), most);
    EXPECT_EQ(cpm_micros(Nanos{most}, most), 1);
}

__extension__ using Wide = unsigned __int128;

// Another way to the same number: long division bit by bit, then the remainder decides.
std::int64_t expected_ratio(Wide numerator, Wide denominator) {
    Wide quotient = 0;
    Wide remainder = 0;
    for (int bit = 127; bit >= 0; --bit) {
        remainder = remainder << 1 | (numerator >> bit & 1);
        quotient <<= 1;
        if (remainder >= denominator) {
            remainder -= denominator;
            quotient |= 1;
        }
    }
    if (remainder >= denominator - remainder)
        ++quotient;
    return quotient > static_cast<Wide>(most) ? most : static_cast<std::int64_t>(quotient);
}

TEST(Ratio, AgreesWithLongDivision) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Numbers numbers{seed};
    for (int round = 0; round < 20'000; ++round) {
        std::int64_t above = numbers.next();
        std::int64_t below = std::max<std::int64_t>(1, numbers.next());
        auto wide_above = static_cast<Wide>(above);
        auto wide_below = static_cast<Wide>(below);
        ASSERT_EQ(ctr_millionths(below, above), expected_ratio(wide_above * 1'000'000, wide_below));
        ASSERT_EQ(cpc_micros(Nanos{above}, below), expected_ratio(wide_above, wide_below * 1000));
        ASSERT_EQ(cpm_micros(Nanos{above}, below), expected_ratio(wide_above, wide_below));
    }
}

}  // namespace
}  // namespace adtally::domain
