// The way of a line: level (one atomic load), text (log_line.cpp), spdlog's locked stdout sink.
//
// Logging is the one thing that is global to the process: everybody has standard output in common.
// The state is never destroyed, so that a thread may log until the very end.
#include "platform/observability/log.hpp"

#include <pthread.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "platform/observability/log_line.hpp"

namespace adtally::observability {
namespace {

constexpr std::array<std::string_view, 6> kLevelNames = {"TRACE", "DEBUG", "INFO",
                                                         "WARN",  "ERROR", "OFF"};

struct LogState {
    std::atomic<Level> level{Level::info};
    std::atomic<LogFormat> format{LogFormat::json};
    std::array<std::atomic<std::uint64_t>, kLevelNames.size()> lines{};
    spdlog::sinks::stdout_sink_mt sink;  // writes and flushes a line under its lock

    LogState() { sink.set_pattern("%v"); }
};

LogState& state() {
    static LogState& the_state = *new LogState;
    return the_state;
}

std::size_t index(Level level) {
    return static_cast<std::size_t>(level);
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

std::int64_t wall_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

std::string_view to_string(Level level) {
    return kLevelNames[index(level)];
}

bool parse_level(std::string_view text, Level& into) {
    for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
        if (equal_ignoring_case(text, kLevelNames[i])) {
            into = static_cast<Level>(i);
            return true;
        }
    }
    return false;
}

void configure_logging(LogFormat format, Level level) {
    state().format.store(format, std::memory_order_relaxed);
    set_level(level);
}

void set_level(Level level) {
    state().level.store(level, std::memory_order_relaxed);
}

Level level() {
    return state().level.load(std::memory_order_relaxed);
}

Logger::Logger(std::string name) : name_(std::move(name)) {}

void Logger::log(Level level, std::string_view message, std::initializer_list<Field> fields,
                 std::string_view trace_id) const {
    if (level == Level::off || level < observability::level())
        return;
    std::array<char, 16> thread{};  // the kernel's limit
    pthread_getname_np(pthread_self(), thread.data(), thread.size());
    LogState& logging = state();
    const LogLine line{.wall_us = wall_us(),
                       .level = level,
                       .logger = name_,
                       .pid = getpid(),
                       .thread = thread.data(),
                       .message = message,
                       .fields = {fields.begin(), fields.size()},
                       .trace_id = trace_id};
    const std::string text = logging.format.load(std::memory_order_relaxed) == LogFormat::json
                                 ? json_line(line)
                                 : text_line(line);
    logging.lines[index(level)].fetch_add(1, std::memory_order_relaxed);
    logging.sink.log(spdlog::details::log_msg({}, spdlog::level::info, text));
}

void Logger::debug(std::string_view message, std::initializer_list<Field> fields) const {
    log(Level::debug, message, fields);
}
void Logger::info(std::string_view message, std::initializer_list<Field> fields) const {
    log(Level::info, message, fields);
}
void Logger::warn(std::string_view message, std::initializer_list<Field> fields) const {
    log(Level::warn, message, fields);
}
void Logger::error(std::string_view message, std::initializer_list<Field> fields) const {
    log(Level::error, message, fields);
}

std::uint64_t lines_logged(Level level) {
    return state().lines[index(level)].load(std::memory_order_relaxed);
}

}  // namespace adtally::observability
