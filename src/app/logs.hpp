// How this process logs, and that it follows its settings.
#pragma once

#include "app/configuration.hpp"

namespace adtally::app {

// From now on, and with each reload; the configuration outlives the process's threads.
void configure_logs(Configuration& configuration);

}  // namespace adtally::app
