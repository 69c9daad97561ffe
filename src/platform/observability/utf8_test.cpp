#include "platform/observability/utf8.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <random>

namespace adtally::observability {
namespace {

constexpr const char* kR = "\xEF\xBF\xBD";

std::string json_string(std::string_view text, std::size_t max_bytes = 1'000'000) {
    std::string out;
    append_json_string(out, text, max_bytes);
    return out;
}

TEST(Utf8, WellFormedTextStays) {
    const std::string text = "plain, äöü, €, 😀, \xF4\x8F\xBF\xBF";
    EXPECT_EQ(valid_utf8(text), text);
    EXPECT_EQ(json_string(text), "\"" + text + "\"");
}

// The cases of the Unicode standard, table 3-8 and its neighbours.
TEST(Utf8, EachIllFormedPartBecomesOneReplacement) {
    const std::string r = kR;
    EXPECT_EQ(valid_utf8("a\x80z"), "a" + r + "z");
    EXPECT_EQ(valid_utf8("\xC0\xAF"), r + r) << "overlong";
    EXPECT_EQ(valid_utf8("\xE0\x80\x80"), r + r + r) << "overlong";
    EXPECT_EQ(valid_utf8("\xED\xA0\x80"), r + r + r) << "surrogate";
    EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), r + r + r + r) << "above U+10FFFF";
    EXPECT_EQ(valid_utf8("\xE2\x82"), r) << "cut at the end";
    EXPECT_EQ(valid_utf8("\xE2\x82z"), r + "z");
    EXPECT_EQ(valid_utf8("\xF0\x9F\x98"), r);
    EXPECT_EQ(valid_utf8("\xFF\xFE"), r + r);
}

TEST(Utf8, JsonEscapesWhatJsonForbids) {
    EXPECT_EQ(json_string(std::string_view("a\"b\\c\n\r\t\b\f\0\x1F\x7F", 13)),
              "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0000\\u001f\\u007f\"");
    EXPECT_EQ(json_string(""), "\"\"");
}

TEST(Utf8, CutsBetweenCharacters) {
    EXPECT_EQ(json_string("abcdef", 6), "\"abcdef\"");
    EXPECT_EQ(json_string("abcdef", 4), "\"abcd…\"");
    EXPECT_EQ(json_string("ab€d", 4), "\"ab…\"");
}

TEST(Utf8, AnyBytesGiveReadableJson) {
    constexpr unsigned kSeed = 20240115;
    std::mt19937 random(kSeed);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(random() % 24, '\0');
        for (char& byte : bytes)
            byte = static_cast<char>(random() % 4 == 0 ? random() % 128 : random() % 256);
        boost::system::error_code error;
        const auto parsed = boost::json::parse(json_string(bytes), error);
        ASSERT_FALSE(error) << "round " << round << " of seed " << kSeed;
        ASSERT_EQ(std::string(parsed.as_string()), valid_utf8(bytes))
            << "round " << round << " of seed " << kSeed;
    }
}

}  // namespace
}  // namespace adtally::observability
