// Reads a number as JSON writes it, told apart by what a field may take: an integer that fits, one
// that does not, a fraction, or no number at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace adtally::domain {

enum class NumberKind : std::uint8_t {
    integer,
    too_large,   // an integer outside int64
    fractional,  // has a fraction or an exponent
    malformed,
};

struct Number {
    NumberKind kind;
    std::int64_t value = 0;
};

// The whole text must be the number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
Number read_number(std::string_view text);

}  // namespace adtally::domain
