// Structured logs: one JSON object a line on standard output, as Spring Boot's ECS format has it.
//
//     {"@timestamp":"…Z","log":{"level":"INFO","logger":"data-collector"},"process":{…},
//      "service":{"name":"data-collector"},"message":"…","traceId":"…","ecs":{"version":"8.11"}}
//
// A happening has a fixed message and its figures as fields, so that it can be searched for.
// `service.name` is the logger's name up to its first dot: `data-collector.spool` belongs to
// `data-collector`. A text field `error` becomes ECS' `error.message`; a field whose name is one of
// the line's own members is written with `field_` before it. Any bytes may be logged: what is not
// UTF-8 becomes U+FFFD, and a text is cut after 8 KiB.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace adtally::observability {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };

std::string_view to_string(Level level);
bool parse_level(std::string_view text, Level& into);  // case-insensitive

struct Field {
    std::string_view name;
    std::variant<std::string_view, std::int64_t, double, bool> value;
};

enum class LogFormat : std::uint8_t { json, text };

// Once, at start, before any thread. Lines go to standard output (json) or are shown for people
// (text). Flushing is by line.
void configure_logging(LogFormat format, Level level);
void set_level(Level level);
Level level();

// A named source of lines; cheap to copy. `logger` is the service's or component's name.
class Logger {
public:
    explicit Logger(std::string name);
    void log(Level level, std::string_view message, std::initializer_list<Field> fields = {},
             std::string_view trace_id = {}) const;
    void debug(std::string_view message, std::initializer_list<Field> fields = {}) const;
    void info(std::string_view message, std::initializer_list<Field> fields = {}) const;
    void warn(std::string_view message, std::initializer_list<Field> fields = {}) const;
    void error(std::string_view message, std::initializer_list<Field> fields = {}) const;

private:
    std::string name_;
};

// Lines logged since start, by level: logback_events_total.
std::uint64_t lines_logged(Level level);

}  // namespace adtally::observability
