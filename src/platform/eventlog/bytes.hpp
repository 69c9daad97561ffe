// Numbers as bytes: little-endian inside values, big-endian inside keys (so that they sort).
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>

namespace adtally::eventlog {

static_assert(std::endian::native == std::endian::little, "the layout on disk is little-endian");

template <std::unsigned_integral Number>
constexpr Number byte_swapped(Number number) {
    if constexpr (sizeof(Number) == 8)
        return __builtin_bswap64(number);
    else if constexpr (sizeof(Number) == 4)
        return __builtin_bswap32(number);
    else
        return __builtin_bswap16(number);
}

template <std::unsigned_integral Number>
Number load_le(const char* from) {
    Number number;
    std::memcpy(&number, from, sizeof number);
    return number;
}

template <std::unsigned_integral Number>
void store_le(char* to, Number number) {
    std::memcpy(to, &number, sizeof number);
}

template <std::unsigned_integral Number>
void append_le(std::string& to, Number number) {
    to.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <std::unsigned_integral Number>
Number load_be(const char* from) {
    return byte_swapped(load_le<Number>(from));
}

template <std::unsigned_integral Number>
void append_be(std::string& to, Number number) {
    append_le(to, byte_swapped(number));
}

}  // namespace adtally::eventlog
