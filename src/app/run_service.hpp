// One service a process, on Kafka and Redis: `adtally collector`, `adtally processor`.
#pragma once

#include "app/launch_options.hpp"

namespace adtally::app {

// Until SIGINT or SIGTERM; the exit code. Throws std::runtime_error with one line and the remedy.
int run_collector(const LaunchOptions& launch);
int run_processor(const LaunchOptions& launch);

}  // namespace adtally::app
