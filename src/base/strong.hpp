// Strong types: an ad id is not a campaign id, micros are not nanos.
//
// A Strong is a number with a name: it compares and hashes, it does not convert by itself.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace adtally {

template <class Tag, class Number = std::int64_t>
struct Strong {
    using number_type = Number;
    Number value{};

    constexpr Strong() = default;
    constexpr explicit Strong(Number number) : value(number) {}
    friend constexpr auto operator<=>(Strong, Strong) = default;
};

// A place in a partition of a log; the first record has offset 0.
using Offset = Strong<struct OffsetTag>;
using Partition = Strong<struct PartitionTag, std::int32_t>;

}  // namespace adtally

template <class Tag, class Number>
struct std::hash<adtally::Strong<Tag, Number>> {
    // Fibonacci hashing: ids are often consecutive, and the tables used are powers of two.
    std::size_t operator()(adtally::Strong<Tag, Number> strong) const noexcept {
        return static_cast<std::size_t>(static_cast<std::uint64_t>(strong.value) *
                                        0x9E3779B97F4A7C15ull);
    }
};
