// A log line as text: pure, so that its exact form is under test. The layout is ECS 8.11 nested,
// as Spring Boot 3.5 and later write it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "platform/observability/log.hpp"

namespace adtally::observability {

struct LogLine {
    std::int64_t wall_us = 0;  // since 1970-01-01T00:00:00Z
    Level level = Level::info;
    std::string_view logger;
    std::int64_t pid = 0;
    std::string_view thread;
    std::string_view message;
    std::span<const Field> fields;
    std::string_view trace_id;
};

// Both without the line's end, and never with a line break inside.
std::string json_line(const LogLine& line);
std::string text_line(const LogLine& line);  // the time is local

}  // namespace adtally::observability
