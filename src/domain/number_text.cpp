#include "domain/number_text.hpp"

#include <limits>

namespace adtally::domain {
namespace {

bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

// Skips at least one digit.
bool skip_digits(const char*& at, const char* end) {
    const char* begin = at;
    while (at != end && is_digit(*at))
        ++at;
    return at != begin;
}

bool is_fraction_and_exponent(const char* at, const char* end) {
    if (*at == '.' && !skip_digits(++at, end))
        return false;
    if (at == end)
        return true;
    if (*at != 'e' && *at != 'E')
        return false;
    ++at;
    if (at != end && (*at == '+' || *at == '-'))
        ++at;
    return skip_digits(at, end) && at == end;
}

}  // namespace

Number read_number(std::string_view text) {
    const char* at = text.data();
    const char* end = at + text.size();
    bool negative = at != end && *at == '-';
    if (negative)
        ++at;
    const char* digits = at;
    std::uint64_t magnitude = 0;  // may wrap; then there are more than 19 digits
    for (; at != end && is_digit(*at); ++at)
        magnitude = magnitude * 10 + static_cast<std::uint64_t>(*at - '0');
    std::ptrdiff_t count = at - digits;
    if (count == 0 || (count > 1 && *digits == '0'))
        return {NumberKind::malformed};
    if (at != end) {
        return {is_fraction_and_exponent(at, end) ? NumberKind::fractional : NumberKind::malformed};
    }
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (count > 19 || magnitude > most + (negative ? 1 : 0))
        return {NumberKind::too_large};
    return {NumberKind::integer, static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude)};
}

}  // namespace adtally::domain
