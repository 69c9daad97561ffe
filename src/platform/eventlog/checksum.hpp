// CRC-32C (Castagnoli), by the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace adtally::eventlog {

std::uint32_t crc32c(std::string_view bytes);

// The same without it.
std::uint32_t crc32c_by_library(std::string_view bytes);

}  // namespace adtally::eventlog
