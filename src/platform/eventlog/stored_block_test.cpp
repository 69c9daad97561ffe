#include "platform/eventlog/stored_block.hpp"

#include <gtest/gtest.h>

#include <random>

#include "platform/eventlog/checksum.hpp"
#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

// Values that compress well, or not at all.
BlockBytes block_of(int records, bool compressible) {
    BlockBuilder builder;
    builder.start(Offset{100}, TimestampMs{5000});
    builder.set_headers(std::vector<Header>{{"traceparent", "00-1"}});
    for (int i = 0; i < records; ++i)
        builder.add(noise(8), compressible ? std::string(100, 'v') : noise(2000));
    return builder.finish();
}

std::string packed(const BlockBytes& block) {
    BlockPacker packer;
    return std::string{packer.pack(framed(block))};
}

void seal(std::string& stored) {
    store_le(stored.data(), crc32c(std::string_view{stored}.substr(4)));
}

std::uint32_t format_of(std::string_view stored) {
    return load_le<std::uint32_t>(stored.data() + 4);
}

class StoredBlock : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Each, StoredBlock, testing::Bool(),
                         [](const auto& each) { return each.param ? "Compressed" : "Plain"; });

TEST(Checksum, IsCrc32c) {
    EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
    EXPECT_EQ(crc32c(""), 0u);
    std::mt19937 random{3};
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(crc32c(bytes), crc32c_by_library(bytes)) << i << " bytes";
        bytes.push_back(static_cast<char>(random()));
    }
}

TEST(BlockPacker, CompressesWhatGetsSmaller) {
    const BlockBytes same = block_of(50, true);
    EXPECT_EQ(format_of(packed(same)), 2u);
    EXPECT_LT(packed(same).size(), same->size() / 4);
    const BlockBytes random = block_of(5, false);
    EXPECT_EQ(format_of(packed(random)), 1u);
    EXPECT_EQ(packed(random).size(), framed(random).size());
}

TEST(BlockPacker, IsUsedAgain) {
    BlockPacker packer;
    for (const int records : {50, 1, 200}) {
        const BlockBytes block = block_of(records, true);
        const auto back = unpack(packer.pack(framed(block)));
        ASSERT_TRUE(back) << back.error().message;
        EXPECT_EQ(back.value()->substr(4), block->substr(4));
    }
}

TEST_P(StoredBlock, IsTheBlockAgainWhenUnpacked) {
    for (const int records : {1, 2, 50}) {
        const BlockBytes block = block_of(records, GetParam());
        const auto back = unpack(packed(block));
        ASSERT_TRUE(back) << back.error().message;
        // All but the checksum, which is the store's; with the padding.
        EXPECT_EQ(back.value()->substr(4), block->substr(4));
        const auto runs = header_runs(framed(back.value()));
        ASSERT_EQ(runs.size(), 1u);
        EXPECT_EQ(runs[0].headers.at(0).name, "traceparent");
    }
}

TEST_P(StoredBlock, IsCorruptWithAnyByteChanged) {
    const std::string stored = packed(block_of(5, GetParam()));
    for (std::size_t i = 0; i < stored.size(); ++i) {
        std::string bytes = stored;
        bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
        const auto block = unpack(bytes);
        ASSERT_FALSE(block) << "byte " << i;
        EXPECT_EQ(block.error().code, ErrorCode::corrupt);
    }
}

TEST_P(StoredBlock, IsCorruptWhenCutOffAnywhere) {
    const std::string stored = packed(block_of(5, GetParam()));
    for (std::size_t size = 0; size < stored.size(); ++size) {
        std::string bytes = stored.substr(0, size);
        EXPECT_FALSE(unpack(bytes)) << size << " bytes";
        // A plain block without its headers is a block, if its checksum says so.
        if (size < 4 || !GetParam())
            continue;
        seal(bytes);
        const auto block = unpack(bytes);
        ASSERT_FALSE(block) << size << " bytes, sealed";
        EXPECT_EQ(block.error().code, ErrorCode::corrupt);
    }
}

// With a right checksum: whatever the compressed bytes say, the result is whole or refused.
TEST_P(StoredBlock, NeverBelievesALengthThatLeadsOutside) {
    std::mt19937 random{7};
    const std::string stored = packed(block_of(5, GetParam()));
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = stored;
        for (int i = 0; i < 3; ++i)
            bytes[8 + random() % (bytes.size() - 8)] = static_cast<char>(random());
        seal(bytes);
        const auto block = unpack(bytes);
        if (!block) {
            ++refused;
            continue;
        }
        const BlockInfo info = info_of(framed(block.value()));
        std::int64_t records = 0;
        for (RecordReader reader{framed(block.value())}; !reader.done(); ++records)
            reader.next();
        ASSERT_EQ(records, info.end.value - info.base.value);
    }
    EXPECT_GT(refused, 300);
}

std::string from_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(std::string{text.substr(i, 2)}, nullptr, 16)));
    return bytes;
}

// What lies in data directories: a change of the layout needs a new format.
TEST(Unpack, ReadsTheBytesOfEachFormat) {
    for (const std::string_view hex :
         {"87e4bc660100000007000000000000008813000000000000010000003100000001000000280000006b767676"
          "76767676767676767676767676767676767676767676767676767676767676767676767676",
          "20576b8d02000000490000002207000100228813080053010000003108006f280000006b7601000f50767676"
          "7676"}) {
        const auto block = unpack(from_hex(hex));
        ASSERT_TRUE(block) << block.error().message;
        const BlockInfo info = info_of(framed(block.value()));
        EXPECT_EQ(info.base, Offset{7});
        EXPECT_EQ(info.appended_at, TimestampMs{5000});
        RecordReader reader{framed(block.value())};
        const auto [key, value] = reader.next();
        EXPECT_EQ(key, "k");
        EXPECT_EQ(value, std::string(40, 'v'));
        EXPECT_TRUE(reader.done());
    }
}

TEST(Unpack, ABlockThatSaysToBeHugeIsNotAllocated) {
    std::string stored = packed(block_of(5, true));
    store_le(stored.data() + 8, std::uint32_t{0xffffffff});
    seal(stored);
    const auto block = unpack(stored);
    ASSERT_FALSE(block);
    EXPECT_NE(block.error().message.find("larger than it can be"), std::string::npos);
}

TEST(Unpack, ABlockOfANewerFormatSaysSo) {
    std::string stored = packed(block_of(1, true));
    store_le(stored.data() + 4, std::uint32_t{3});
    seal(stored);
    const auto block = unpack(stored);
    ASSERT_FALSE(block);
    EXPECT_NE(block.error().message.find("format 3"), std::string::npos);
}

}  // namespace
}  // namespace adtally::eventlog
