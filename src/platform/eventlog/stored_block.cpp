#include "platform/eventlog/stored_block.hpp"

#include <fmt/format.h>
#include <lz4.h>

#include <limits>
#include <utility>

#include "platform/eventlog/checksum.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::uint32_t plain = block_version;
constexpr std::uint32_t compressed = 2;
constexpr std::size_t crc_bytes = 4;
constexpr std::size_t seal_bytes = 8;  // checksum and version
constexpr std::size_t packed_frame_bytes = seal_bytes + 4;
// No LZ4 sequence makes more of a byte.
constexpr std::size_t most_bytes_of_one = 255;

Error corrupt(std::string what) {
    return Error{ErrorCode::corrupt, std::move(what)};
}

Result<BlockBytes> checked(BlockBytes block) {
    ADTALLY_TRY(check_block(framed(block)));
    return block;
}

Result<BlockBytes> unpack_compressed(std::string_view stored_block) {
    if (stored_block.size() < packed_frame_bytes)
        return corrupt("a compressed block is shorter than its frame");
    const std::size_t size = load_le<std::uint32_t>(stored_block.data() + seal_bytes);
    const std::string_view packed = stored_block.substr(packed_frame_bytes);
    constexpr std::size_t most = std::numeric_limits<int>::max();
    if (size > packed.size() * most_bytes_of_one || size > most || packed.size() > most)
        return corrupt("a compressed block says to be larger than it can be");
    auto bytes = std::make_shared<std::string>();
    bytes->reserve(seal_bytes + size + value_padding);
    append_le(*bytes, std::uint32_t{0});
    append_le(*bytes, plain);
    bytes->resize(seal_bytes + size + value_padding, '\0');
    const int unpacked =
        LZ4_decompress_safe(packed.data(), bytes->data() + seal_bytes,
                            static_cast<int>(packed.size()), static_cast<int>(size));
    if (unpacked < 0 || static_cast<std::size_t>(unpacked) != size)
        return corrupt("a compressed block does not unpack to the size it says");
    return checked(std::move(bytes));
}

}  // namespace

std::string_view BlockPacker::pack(std::string_view framed_block) {
    // Grows only: what is written over need not be zero first.
    if (packed_.size() < framed_block.size())
        packed_.resize(framed_block.size());
    const std::string_view body = framed_block.substr(seal_bytes);
    store_le(packed_.data() + crc_bytes, compressed);
    store_le(packed_.data() + seal_bytes, static_cast<std::uint32_t>(body.size()));
    // Room for less than the plain block: what does not fit is not worth it. Nor is what LZ4 finds
    // too long.
    const int size = LZ4_compress_default(
        body.data(), packed_.data() + packed_frame_bytes, static_cast<int>(body.size()),
        static_cast<int>(framed_block.size() - packed_frame_bytes - 1));
    if (size > 0)
        return sealed(packed_frame_bytes + static_cast<std::size_t>(size));
    packed_.replace(0, framed_block.size(), framed_block);
    return sealed(framed_block.size());
}

std::string_view BlockPacker::sealed(std::size_t size) {
    const std::string_view bytes{packed_.data(), size};
    store_le(packed_.data(), crc32c(bytes.substr(crc_bytes)));
    return bytes;
}

Result<BlockBytes> unpack(std::string_view stored_block) {
    if (stored_block.size() < seal_bytes)
        return corrupt(
            fmt::format("a block of {} bytes is shorter than its frame", stored_block.size()));
    if (crc32c(stored_block.substr(crc_bytes)) != load_le<std::uint32_t>(stored_block.data()))
        return corrupt("the checksum of a block does not match its bytes");
    const auto version = load_le<std::uint32_t>(stored_block.data() + crc_bytes);
    if (version == compressed)
        return unpack_compressed(stored_block);
    if (version == plain)
        return checked(padded(stored_block));
    return corrupt(
        fmt::format("a block has format {}, this adtally reads {} and {}: use a newer "
                    "one",
                    version, plain, compressed));
}

}  // namespace adtally::eventlog
