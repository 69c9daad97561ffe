// A block: the records of one partition that one commit wrote, as they lie in memory. How they lie
// in the store says stored_block.hpp.
//
// Problem. A key and a checksum per record cost more than the record's own bytes deserve; and a
// reader must be able to trust what it reads without copying it.
//
// Layout, little-endian:
//   u32 room for the store's checksum | u8 version (1) | 3 bytes zero | i64 base offset
//   | i64 append time, ms | u32 records | u32 bytes of the records
//   records: u32 key bytes | u32 value bytes | key | value
//   header runs, to the end: u32 first record | u16 headers | per header: u16 name bytes
//   | u32 value bytes | name | value. A run ends where the next begins; no run, no headers.
//
// Promise. check_block accepts what BlockBuilder writes, whatever stands where the checksum goes:
// after it, every length inside the block is inside the block. Whatever else the bytes are, they
// are `corrupt`, and nothing outside of them is read.
//
// Threads. Values; BlockBytes are immutable and shared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/eventlog/bytes.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::eventlog {

// A framed block and, behind it, `value_padding` readable zero bytes.
using BlockBytes = std::shared_ptr<const std::string>;

inline std::string_view framed(const BlockBytes& block) {
    return std::string_view{*block}.substr(0, block->size() - value_padding);
}
BlockBytes padded(std::string_view framed_block);

constexpr std::uint32_t block_version = 1;
constexpr std::size_t block_frame_bytes = 32;
constexpr std::size_t record_frame_bytes = 8;

struct BlockInfo {
    Offset base;
    Offset end;
    TimestampMs appended_at;
};

class BlockBuilder {
public:
    void start(Offset base, TimestampMs appended_at);
    // For the records that are added from now on.
    void set_headers(std::span<const Header> headers);
    void add(std::string_view key, std::string_view value);
    // The padded block. The builder can be started again.
    BlockBytes finish();

    bool started() const { return started_; }
    std::uint32_t count() const { return count_; }
    // Of a started one.
    std::size_t size() const { return bytes_->size() + runs_.size(); }

private:
    bool started_ = false;
    bool has_headers_ = false;
    std::uint32_t count_ = 0;
    std::shared_ptr<std::string> bytes_;  // becomes the block
    std::size_t last_size_ = 0;           // the next one will be about as large
    std::string runs_;
};

// Checks every length; `corrupt` with what is wrong.
Result<BlockInfo> check_block(std::string_view framed_block);

// Of a block that is known to be good.
BlockInfo info_of(std::string_view framed_block);

// Walks the records of a block that is known to be good.
class RecordReader {
public:
    RecordReader() = default;
    explicit RecordReader(std::string_view framed_block)
        : at_(framed_block.data() + block_frame_bytes),
          end_(at_ + load_le<std::uint32_t>(framed_block.data() + block_frame_bytes - 4)) {}

    bool done() const { return at_ == end_; }
    RecordBatch::Record next() {
        const auto key_size = load_le<std::uint32_t>(at_);
        const auto value_size = load_le<std::uint32_t>(at_ + 4);
        const char* key = at_ + record_frame_bytes;
        const char* value = key + key_size;
        at_ = value + value_size;
        return {{key, key_size}, {value, value_size}};
    }

private:
    const char* at_ = nullptr;
    const char* end_ = nullptr;
};

// Of a block that is known to be good.
std::vector<HeaderRun> header_runs(std::string_view framed_block);

}  // namespace adtally::eventlog
