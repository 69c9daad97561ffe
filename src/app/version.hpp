// The version that --version, /actuator/info and User-Agent tell.
#pragma once

namespace adtally::app {

inline constexpr const char* version = "0.1.0";

}  // namespace adtally::app
