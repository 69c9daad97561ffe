// /actuator for every service: index, health, info, prometheus, loggers, refresh.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "platform/http/router.hpp"
#include "platform/observability/health.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::http {

struct ActuatorOptions {
    std::string service;
    std::string version;
    // Reloads live configuration and returns the keys that changed; empty function: 404.
    std::function<std::vector<std::string>()> refresh;
};

// The registries must outlive the server that gets the routes.
std::vector<Route> actuator_routes(ActuatorOptions options,
                                   const observability::HealthRegistry& health,
                                   const observability::MetricRegistry& metrics);

}  // namespace adtally::http
