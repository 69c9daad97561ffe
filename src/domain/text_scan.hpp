// Looks for the bytes of a text that need attention: quote, backslash, control characters, DEL.
//
// Sixteen or eight bytes at a time: a text without such a byte is printable as it stands, can be
// viewed in the input without a copy, and can be written as JSON as it is. That is nearly every
// text. No byte outside of [begin, end) is read.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace adtally::domain {

constexpr bool is_special_byte(char byte) {
    auto code = static_cast<unsigned char>(byte);
    return code < 0x20 || code == '"' || code == '\\' || code == 0x7F;
}

// How many of the eight bytes stand before the first special one; 8 when none is special.
inline int plain_bytes_of_8(const char* begin) {
    static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
    constexpr std::uint64_t ones = 0x0101010101010101ull;
    constexpr std::uint64_t high = ones * 0x80;
    std::uint64_t word;
    std::memcpy(&word, begin, sizeof word);
    std::uint64_t quote = word ^ (ones * '"');
    std::uint64_t backslash = word ^ (ones * '\\');
    std::uint64_t del = word ^ (ones * 0x7F);
    // Borrows may mark a byte falsely, but only above one that is rightly marked.
    std::uint64_t marks = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                          ((backslash - ones) & ~backslash) | ((del - ones) & ~del);
    return std::countr_zero(marks & high) / 8;  // 64 / 8 when there is no mark
}

inline int plain_bytes_of_16(const char* begin) {
#if defined(__SSE2__)
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    auto is = [&](char byte) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)); };
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    const __m128i marks =
        _mm_or_si128(_mm_or_si128(control, is('"')), _mm_or_si128(is('\\'), is(0x7F)));
    return std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(marks)) | 0x10000u);
#else
    int plain = plain_bytes_of_8(begin);
    return plain < 8 ? plain : 8 + plain_bytes_of_8(begin + 8);
#endif
}

// The first special byte of [begin, end), or end.
inline const char* find_special(const char* begin, const char* end) {
    while (end - begin >= 16) {
        int plain = plain_bytes_of_16(begin);
        begin += plain;
        if (plain < 16)
            return begin;
    }
    if (end - begin >= 8) {
        int plain = plain_bytes_of_8(begin);
        begin += plain;
        if (plain < 8)
            return begin;
    }
    while (begin != end && !is_special_byte(*begin))
        ++begin;
    return begin;
}

// The first special byte; there is one, and sixteen bytes from it on are readable.
inline const char* find_certain_special(const char* begin) {
    for (;;) {
        int plain = plain_bytes_of_16(begin);
        begin += plain;
        if (plain < 16)
            return begin;
    }
}

// As find_special, and copies what stands before it; `to` has room for end - begin bytes.
inline const char* copy_until_special(const char* begin, const char* end, char* to) {
    while (end - begin >= 16) {
        int plain = plain_bytes_of_16(begin);
        std::memcpy(to, begin, 16);
        begin += plain;
        to += plain;
        if (plain < 16)
            return begin;
    }
    if (end - begin >= 8) {
        int plain = plain_bytes_of_8(begin);
        std::memcpy(to, begin, 8);
        begin += plain;
        to += plain;
        if (plain < 8)
            return begin;
    }
    while (begin != end && !is_special_byte(*begin))
        *to++ = *begin++;
    return begin;
}

}  // namespace adtally::domain
