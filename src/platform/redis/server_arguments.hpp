// The command line of the supervised redis-server: what Supervisor promises of it, as options.
#pragma once

#include <string>
#include <vector>

#include "platform/redis/supervisor.hpp"

namespace adtally::redis {

// Without the program's own name.
std::vector<std::string> server_arguments(const SupervisorOptions& options);

}  // namespace adtally::redis
