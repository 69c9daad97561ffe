// The live table as text: no line is wider than 80 columns, whatever the numbers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/demo/snapshot.hpp"

namespace adtally::demo {

inline constexpr std::size_t table_width = 80;

struct Heading {
    double seconds_up = 0;
    double events_per_second = 0;  // counted by the processor
    std::string trouble;           // why the figures are old; empty when they are not
};

// Lines without their ends.
std::vector<std::string> render_table(const Snapshot& snapshot, const Heading& heading);

// What to try in another terminal: a curl and what it changes.
std::vector<std::string> render_hint(std::string_view collector_url, std::string_view redis_port);

// "950", "12,345", "1.2 M": never wider than `width` for numbers up to 10^18, for width ≥ 7.
std::string compact(std::int64_t number, std::size_t width);

}  // namespace adtally::demo
