#include "domain/ids.hpp"

#include <gtest/gtest.h>
#include <set>

namespace adtally::domain {
namespace {

std::int64_t milliseconds_of(std::string_view id) {
    std::string hex{id.substr(0, 8)};
    hex += id.substr(9, 4);
    return std::stoll(hex, nullptr, 16);
}

TEST(EventId, HasItsAlphabetAndLength) {
    EXPECT_TRUE(is_event_id("a"));
    EXPECT_TRUE(is_event_id("AZaz09._:-"));
    EXPECT_TRUE(is_event_id(std::string(64, 'x')));
    EXPECT_FALSE(is_event_id(""));
    EXPECT_FALSE(is_event_id(std::string(65, 'x')));
    for (char byte : {' ', '/', '@', '[', '`', '{', '\0', '\x7F', '\xC3', '+', ',', ';'})
        EXPECT_FALSE(is_event_id(std::string("a") + byte)) << static_cast<int>(byte);
}

TEST(UuidV7, HasTheFormOfRfc9562) {
    UuidV7Generator generator{42};
    for (int round = 0; round < 1000; ++round) {
        std::string_view id = generator.next(TimestampMs{0x0190b6f37c1e});
        ASSERT_EQ(id.size(), 36u);
        EXPECT_EQ(id[14], '7');
        EXPECT_NE(std::string_view{"89ab"}.find(id[19]), std::string_view::npos);
        for (std::size_t place = 0; place < id.size(); ++place) {
            bool dash = place == 8 || place == 13 || place == 18 || place == 23;
            EXPECT_TRUE(dash ? id[place] == '-'
                             : std::string_view{"0123456789abcdef"}.find(id[place]) !=
                                   std::string_view::npos);
        }
        EXPECT_TRUE(is_event_id(id));
    }
    EXPECT_EQ(UuidV7Generator{1}.next(TimestampMs{0x0190b6f37c1e}).substr(0, 13), "0190b6f3-7c1e");
}

// `clock` gives the time of each id.
template <class ClockOf>
void expect_ascending(int count, ClockOf clock) {
    UuidV7Generator generator{7};
    std::string last;
    for (int index = 0; index < count; ++index) {
        std::string_view id = generator.next(TimestampMs{clock(index)});
        ASSERT_LT(last, id) << index;
        last = id;
    }
}

TEST(UuidV7, AscendsWhileTheClockStandsStill) {
    expect_ascending(1'000'000, [](int) { return 1'705'327'402'123; });
}

TEST(UuidV7, AscendsWhileTheClockGoesBackwards) {
    expect_ascending(1'000'000, [](int index) { return 1'705'327'402'123 - index; });
}

TEST(UuidV7, AscendsWhileTheClockJumps) {
    expect_ascending(1'000'000, [](int index) {
        return 1'705'327'402'123 + index / 5000 + (index % 7 == 0 ? 50 : 0);
    });
}

TEST(UuidV7, ReturnsToTheClockOnceItHasCaughtUp) {
    UuidV7Generator generator{7};
    for (int index = 0; index < 10'000; ++index)
        generator.next(TimestampMs{1'705'327'402'123});
    EXPECT_EQ(milliseconds_of(generator.next(TimestampMs{1'705'327'402'623})), 1'705'327'402'623);
}

TEST(UuidV7, DifferentSeedsGiveDifferentIds) {
    std::set<std::string> ids;
    for (std::uint64_t seed = 0; seed < 1000; ++seed)
        ids.emplace(UuidV7Generator{seed}.next(TimestampMs{1'705'327'402'123}));
    EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace adtally::domain
