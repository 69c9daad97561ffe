// How a block lies in the store: sealed by a checksum, compressed where that makes it smaller.
//
// Problem. RocksDB writes a value twice (write-ahead log, blob file) and takes a checksum in
// software each time: what is stored costs more CPU than making it. Event records repeat their
// field names and most of their values, so LZ4 makes them several times smaller for less than one
// of those passes (figures: docs/adr/0009-blocks-are-compressed.md).
//
// Layout, little-endian. Format 1, when compression gains nothing: the block of block.hpp with the
// CRC-32C of all that follows in its first four bytes. Format 2:
//   u32 CRC-32C of all that follows | u8 version (2) | 3 bytes zero | u32 unpacked bytes
//   | LZ4 block of the block's bytes behind its first eight
//
// Promise. unpack(pack(block)) is the block but for its checksum. unpack accepts nothing whose
// checksum or any of whose lengths is wrong: it is `corrupt`; it never allocates more than 256
// times what it is given.
//
// Threads. BlockPacker belongs to one thread; unpack is free of state.
#pragma once

#include <string>
#include <string_view>

#include "platform/eventlog/block.hpp"

namespace adtally::eventlog {

class BlockPacker {
public:
    // Valid until the next call.
    std::string_view pack(std::string_view framed_block);

private:
    // The first bytes of packed_, with their checksum.
    std::string_view sealed(std::size_t size);

    std::string packed_;
};

// The padded block; `corrupt` with what is wrong.
Result<BlockBytes> unpack(std::string_view stored_block);

}  // namespace adtally::eventlog
