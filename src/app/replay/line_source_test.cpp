#include "app/replay/line_source.hpp"

#include <gmock/gmock.h>

#include "app/replay/test_support.hpp"

namespace adtally::replay {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> numbered(std::string_view content, bool reverse) {
    TemporaryFile file{content};
    auto source = LineSource::open(file.path(), reverse);
    EXPECT_TRUE(source);
    std::vector<std::string> lines;
    while (auto line = source.value().next()) {
        lines.push_back(std::to_string(line->number) + ":" + std::string(line->text));
    }
    return lines;
}

TEST(LineSource, GivesLinesInOrder) {
    EXPECT_THAT(numbered("a\nbb\nc\n", false), ElementsAre("1:a", "2:bb", "3:c"));
}

TEST(LineSource, GivesLinesBackwardsUnderTheSameNumbers) {
    EXPECT_THAT(numbered("a\nbb\nc\n", true), ElementsAre("3:c", "2:bb", "1:a"));
}

TEST(LineSource, NeedsNoLastLineBreak) {
    EXPECT_THAT(numbered("a\nb", false), ElementsAre("1:a", "2:b"));
    EXPECT_THAT(numbered("a\nb", true), ElementsAre("2:b", "1:a"));
}

TEST(LineSource, KeepsBlankLinesAndDropsCarriageReturns) {
    EXPECT_THAT(numbered("\r\n\na\r\n", false), ElementsAre("1:", "2:", "3:a"));
    EXPECT_THAT(numbered("\r\n\na\r\n", true), ElementsAre("3:a", "2:", "1:"));
}

TEST(LineSource, AnEmptyFileHasNoLines) {
    EXPECT_TRUE(numbered("", false).empty());
    EXPECT_TRUE(numbered("", true).empty());
}

TEST(LineSource, SaysWhyAFileCannotBeRead) {
    auto absent = LineSource::open("/nonexistent/file", false);
    ASSERT_FALSE(absent);
    EXPECT_THAT(absent.error().message, ::testing::HasSubstr("/nonexistent/file"));
    auto directory = LineSource::open("/", false);
    ASSERT_FALSE(directory);
    EXPECT_THAT(directory.error().message, ::testing::HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace adtally::replay
