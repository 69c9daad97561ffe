// Looks for the bytes of a text that need attention: quote, backslash, control characters, DEL.
//
// Eight bytes at a time: a text without such a byte is printable as it stands, can be viewed in
// the input without a copy, and can be written as JSON with one memcpy. That is nearly every text.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace adtally::domain {

constexpr bool is_special_byte(char byte) {
    auto code = static_cast<unsigned char>(byte);
    return code < 0x20 || code == '"' || code == '\\' || code == 0x7F;
}

// The first special byte of [begin, end), or end.
inline const char* find_special(const char* begin, const char* end) {
    static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
    constexpr std::uint64_t ones = 0x0101010101010101ull;
    constexpr std::uint64_t high = ones * 0x80;
    while (end - begin >= 8) {
        std::uint64_t word;
        std::memcpy(&word, begin, sizeof word);
        std::uint64_t quote = word ^ (ones * '"');
        std::uint64_t backslash = word ^ (ones * '\\');
        std::uint64_t del = word ^ (ones * 0x7F);
        // Borrows may mark a byte falsely, but only above one that is rightly marked.
        std::uint64_t marks = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                              ((backslash - ones) & ~backslash) | ((del - ones) & ~del);
        marks &= high;
        if (marks != 0)
            return begin + std::countr_zero(marks) / 8;
        begin += 8;
    }
    while (begin != end && !is_special_byte(*begin))
        ++begin;
    return begin;
}

}  // namespace adtally::domain
