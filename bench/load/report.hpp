// What a run showed: for people on the terminal, for scripts as JSON.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "load/cpu.hpp"
#include "load/engine.hpp"
#include "load/visibility.hpp"

namespace adtally::load {

struct Report {
    std::string url;
    bool closed = false;
    double asked_per_second = 0;
    std::size_t batch = 1;
    std::size_t connections = 0;
    std::size_t request_bytes = 0;
    EngineResult engine;
    std::optional<VisibilityResult> visibility;
    std::map<std::string, CpuUsage> cpu;  // by the name given to each process; "load" is this one
};

std::string to_text(const Report& report);
// One object; times in µs, CPU in seconds and in µs an event and a request.
std::string to_json(const Report& report);

}  // namespace adtally::load
