// Every setting of adtally: meaning, unit, default, bounds. `adtally check-config --describe`
// prints them; docs/OPERATIONS.md is made from it.
#pragma once

#include <vector>

#include "platform/config/settings.hpp"

namespace adtally::app {

std::vector<config::Setting> settings_schema();

}  // namespace adtally::app
