// Pieces of Lua that more than one file needs to put a script together.
#pragma once

#include <string>
#include <string_view>

namespace adtally::redis_sink {

// Names of members and keys, lifetimes and limits as Lua locals: spelled in keys.hpp only.
std::string lua_names();

// Sums that saturate and ratios that are exact; wants `call` and `CHUNK`.
std::string_view lua_arithmetic();

// The part of the flush that slides windows, judges rates and counts the clicks of sessions.
std::string_view lua_anomalies();

}  // namespace adtally::redis_sink
