// The known word that someone who wrote `word` most likely meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace adtally::config {

// Insertions, deletions, replacements and swaps of neighbours, each one.
std::size_t edit_distance(std::string_view a, std::string_view b);

// Empty when nothing is known; of equally near ones the first.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace adtally::config
