#include "platform/config/nearest.hpp"

#include <gtest/gtest.h>

namespace adtally::config {
namespace {

TEST(Nearest, CountsEdits) {
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("abc", ""), 3u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance("port", "prot"), 1u) << "a swap of neighbours is one slip";
    EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(Nearest, NamesTheNearestKnownWord) {
    const std::vector<std::string> known = {"collector.port", "collector.ack-deadline-ms",
                                            "processor.port"};
    EXPECT_EQ(nearest("collector.ack-deadline", known), "collector.ack-deadline-ms");
    EXPECT_EQ(nearest("colector.prot", known), "collector.port");
    EXPECT_EQ(nearest("x", {}), "");
}

TEST(Nearest, AVeryLongWordIsComparedInItsBeginning) {
    EXPECT_EQ(edit_distance(std::string(1'000'000, 'a'), std::string(1'000'000, 'a') + "b"), 0u);
}

}  // namespace
}  // namespace adtally::config
