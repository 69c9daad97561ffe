// How many events of each type: what an answer stands for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "domain/event.hpp"

namespace adtally::collector {

inline constexpr std::array event_types{domain::EventType::impression, domain::EventType::click,
                                        domain::EventType::conversion};

struct EventCounts {
    std::array<std::uint32_t, event_types.size()> by_type{};

    static EventCounts one(domain::EventType type) {
        EventCounts counts;
        counts.add(type);
        return counts;
    }
    void add(domain::EventType type) { ++by_type[static_cast<std::size_t>(type)]; }
    std::uint32_t of(domain::EventType type) const {
        return by_type[static_cast<std::size_t>(type)];
    }
    std::uint64_t total() const {
        std::uint64_t sum = 0;
        for (std::uint32_t count : by_type)
            sum += count;
        return sum;
    }
};

}  // namespace adtally::collector
