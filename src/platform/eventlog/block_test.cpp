#include "platform/eventlog/block.hpp"

#include <gtest/gtest.h>

#include <random>

namespace adtally::eventlog {
namespace {

BlockBytes block_of(int records) {
    BlockBuilder builder;
    builder.start(Offset{100}, TimestampMs{5000});
    for (int i = 0; i < records; ++i)
        builder.add("key" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v'));
    return builder.finish();
}

TEST(Block, GivesBackWhatWasAdded) {
    const BlockBytes block = block_of(50);
    const auto info = check_block(framed(block));
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info.value().base, Offset{100});
    EXPECT_EQ(info.value().end, Offset{150});
    EXPECT_EQ(info.value().appended_at, TimestampMs{5000});
    RecordReader reader{framed(block)};
    for (int i = 0; i < 50; ++i) {
        ASSERT_FALSE(reader.done());
        const auto [key, value] = reader.next();
        EXPECT_EQ(key, "key" + std::to_string(i));
        EXPECT_EQ(value, std::string(static_cast<std::size_t>(i), 'v'));
    }
    EXPECT_TRUE(reader.done());
}

TEST(Block, TakesEmptyKeysAndValues) {
    BlockBuilder builder;
    builder.start(Offset{0}, TimestampMs{0});
    builder.add("", "");
    const BlockBytes block = builder.finish();
    ASSERT_TRUE(check_block(framed(block)));
    const auto [key, value] = RecordReader{framed(block)}.next();
    EXPECT_TRUE(key.empty());
    EXPECT_TRUE(value.empty());
}

TEST(Block, HasReadableBytesBehindTheLastValue) {
    const BlockBytes block = block_of(3);
    EXPECT_EQ(block->size(), framed(block).size() + value_padding);
    EXPECT_EQ(block->substr(framed(block).size()), std::string(value_padding, '\0'));
}

TEST(Block, KeepsTheHeadersOfEachRun) {
    BlockBuilder builder;
    builder.start(Offset{0}, TimestampMs{0});
    builder.set_headers({});
    builder.add("a", "1");
    builder.set_headers(std::vector<Header>{{"traceparent", "00-1"}, {"origin", "x"}});
    builder.add("b", "2");
    builder.add("c", "3");
    builder.set_headers({});
    builder.add("d", "4");
    const BlockBytes block = builder.finish();
    ASSERT_TRUE(check_block(framed(block)));
    const auto runs = header_runs(framed(block));
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].first_record, 1u);
    ASSERT_EQ(runs[0].headers.size(), 2u);
    EXPECT_EQ(runs[0].headers[0].name, "traceparent");
    EXPECT_EQ(runs[0].headers[1].value, "x");
    EXPECT_EQ(runs[1].first_record, 3u);
    EXPECT_TRUE(runs[1].headers.empty());
}

TEST(Block, IsCorruptWhenCutOffAnywhere) {
    const BlockBytes block = block_of(5);
    for (std::size_t size = 0; size < framed(block).size(); ++size) {
        const auto info = check_block(framed(block).substr(0, size));
        ASSERT_FALSE(info) << size << " bytes";
        EXPECT_EQ(info.error().code, ErrorCode::corrupt);
    }
}

// Only the lengths stand between the reader and the bytes behind the block.
TEST(Block, NeverBelievesALengthThatLeadsOutside) {
    std::mt19937 random{7};
    const BlockBytes block = block_of(5);
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes{framed(block)};
        for (int i = 0; i < 3; ++i)
            bytes[8 + random() % (bytes.size() - 8)] = static_cast<char>(random());
        const auto info = check_block(bytes);
        if (!info) {
            ++refused;
            continue;
        }
        std::int64_t records = 0;
        for (RecordReader reader{bytes}; !reader.done(); ++records) {
            const auto [key, value] = reader.next();
            ASSERT_LE(value.data() + value.size(), bytes.data() + bytes.size());
            ASSERT_GE(key.data(), bytes.data());
        }
        ASSERT_EQ(records, info.value().end.value - info.value().base.value);
    }
    EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace adtally::eventlog
