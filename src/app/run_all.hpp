// `adtally all` and `adtally demo`: every service in this process, on the embedded stack.
#pragma once

#include "app/launch_options.hpp"

namespace adtally::app {

// Runs until SIGINT or SIGTERM, then stops in the reverse order within 30 s. Exit code.
int run_all(const LaunchOptions& launch);

// The same, with a lifelike stream of events and a live table in the terminal.
int run_demo(const LaunchOptions& launch);

}  // namespace adtally::app
