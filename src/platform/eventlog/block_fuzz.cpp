// Decoding arbitrary bytes never crashes and never reads outside of them.
//
// Random bytes seldom have a right checksum, so the input is tried as a block, as it is from the
// store, and once more as each stored format with its checksum repaired: then every length behind
// it is the fuzzer's.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/assert.hpp"
#include "platform/eventlog/block.hpp"
#include "platform/eventlog/checksum.hpp"
#include "platform/eventlog/stored_block.hpp"

namespace {

using namespace adtally::eventlog;

void read_all(std::string_view bytes) {
    const auto info = check_block(bytes);
    if (!info)
        return;
    std::int64_t records = 0;
    std::uint64_t sum = 0;
    for (RecordReader reader{bytes}; !reader.done(); ++records) {
        const auto record = reader.next();
        for (const char byte : record.key)
            sum += static_cast<unsigned char>(byte);
        for (const char byte : record.value)
            sum += static_cast<unsigned char>(byte);
    }
    ADTALLY_ASSERT(info.value().end.value - info.value().base.value == records);
    ADTALLY_ASSERT(sum <= 255 * bytes.size());
    ADTALLY_ASSERT(header_runs(bytes).size() <= static_cast<std::size_t>(records));
}

void read_stored(std::string_view bytes) {
    const auto block = unpack(bytes);
    if (!block)
        return;
    read_all(framed(block.value()));
    BlockPacker packer;
    const auto again = unpack(packer.pack(framed(block.value())));
    ADTALLY_ASSERT(again && again.value()->substr(8) == block.value()->substr(8));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // An allocation of exactly this size: a read past it is seen.
    auto bytes = std::make_unique<char[]>(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<char>(data[i]);
    const std::string_view view{bytes.get(), size};
    read_all(view);
    read_stored(view);
    for (const std::uint32_t format : {1u, 2u}) {
        if (size < 8)
            break;
        store_le(bytes.get() + 4, format);
        store_le(bytes.get(), crc32c(view.substr(4)));
        read_all(view);
        read_stored(view);
    }
    return 0;
}
