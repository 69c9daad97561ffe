// Dates and times are pairs of digits.
#pragma once

#include <cstddef>
#include <string_view>

namespace adtally::domain {

inline constexpr unsigned no_digit_pair = 255;

// The two digits at `place`, or no_digit_pair, which no part of a date or time may be. The text
// reaches at least behind them.
constexpr unsigned digit_pair(std::string_view text, std::size_t place) {
    unsigned tens = static_cast<unsigned char>(text[place]) - unsigned{'0'};
    unsigned ones = static_cast<unsigned char>(text[place + 1]) - unsigned{'0'};
    return tens <= 9 && ones <= 9 ? tens * 10 + ones : no_digit_pair;
}

}  // namespace adtally::domain
