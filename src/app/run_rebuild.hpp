// `adtally rebuild`: are the counts in Redis what the log says, and if not, correct them.
//
// On Kafka beside running processors; on the embedded stack while no adtally runs on the data
// directory, whose log and Redis it opens itself.
// Exit status: 0 when nothing differs or all was corrected, 1 when something differs still.
#pragma once

#include <cstdint>
#include <string>

#include "app/launch_options.hpp"

namespace adtally::app {

struct RebuildOptions {
    std::int64_t ad = 0;  // 0: all
    std::string day;      // 2024-01-15; empty: all time
    bool apply = false;
    bool reprice = false;
    std::size_t show = 50;  // differences, in full
};

// Throws std::runtime_error with one line and the remedy when it cannot be done.
int run_rebuild(const LaunchOptions& launch, const RebuildOptions& options);

}  // namespace adtally::app
