#include "platform/observability/log_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <iterator>

#include "platform/observability/utf8.hpp"

namespace adtally::observability {
namespace {

constexpr std::size_t kMaxTextBytes = 8 * 1024;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// Members that the line has of its own, and ECS' objects that a plain value would contradict.
constexpr std::array<std::string_view, 8> kTakenNames = {
    "@timestamp", "log", "process", "service", "message", "traceId", "ecs", "tags"};

void append_text(std::string& out, std::string_view text) {
    append_json_string(out, text, kMaxTextBytes);
}

struct SplitTime {
    std::time_t seconds;
    int micros;
};

SplitTime split(std::int64_t wall_us) {
    std::int64_t seconds = wall_us / kMicrosPerSecond;
    std::int64_t micros = wall_us % kMicrosPerSecond;
    if (micros < 0) {
        micros += kMicrosPerSecond;
        --seconds;
    }
    return {static_cast<std::time_t>(seconds), static_cast<int>(micros)};
}

struct JsonValue {
    std::string& out;
    void operator()(std::string_view text) const { append_text(out, text); }
    void operator()(std::int64_t number) const {
        fmt::format_to(std::back_inserter(out), "{}", number);
    }
    void operator()(double number) const {
        if (std::isfinite(number))
            fmt::format_to(std::back_inserter(out), "{}", number);
        else
            out += "null";  // JSON has no NaN
    }
    void operator()(bool truth) const { out += truth ? "true" : "false"; }
};

void append_json_field(std::string& out, const Field& field) {
    out += ',';
    if (field.name == "error" && std::holds_alternative<std::string_view>(field.value)) {
        out += "\"error\":{\"message\":";
        append_text(out, std::get<std::string_view>(field.value));
        out += '}';
        return;
    }
    if (std::find(kTakenNames.begin(), kTakenNames.end(), field.name) != kTakenNames.end())
        append_text(out, fmt::format("field_{}", field.name));
    else
        append_text(out, field.name);
    out += ':';
    std::visit(JsonValue{out}, field.value);
}

// For people: bare where it cannot be misread, quoted as JSON elsewhere.
struct TextValue {
    std::string& out;
    void operator()(std::string_view text) const {
        const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
            return c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '=';
        });
        if (bare && text.size() <= kMaxTextBytes)
            out += text;
        else
            append_text(out, text);
    }
    void operator()(std::int64_t number) const { JsonValue{out}(number); }
    void operator()(double number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
    void operator()(bool truth) const { JsonValue{out}(truth); }
};

// A message without its quotes: control bytes stay escaped, so that it cannot forge a line.
void append_message(std::string& out, std::string_view message) {
    std::string quoted;
    append_text(quoted, message);
    out.append(quoted, 1, quoted.size() - 2);
}

}  // namespace

std::string json_line(const LogLine& line) {
    const SplitTime time = split(line.wall_us);
    std::tm utc{};
    gmtime_r(&time.seconds, &utc);
    std::string out;
    out.reserve(320);
    fmt::format_to(std::back_inserter(out),
                   "{{\"@timestamp\":\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z\","
                   "\"log\":{{\"level\":\"{}\",\"logger\":",
                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                   utc.tm_sec, time.micros, to_string(line.level));
    append_text(out, line.logger);
    fmt::format_to(std::back_inserter(out),
                   "}},\"process\":{{\"pid\":{},\"thread\":{{\"name\":", line.pid);
    append_text(out, line.thread);
    out += "}},\"service\":{\"name\":";
    append_text(out, line.logger.substr(0, line.logger.find('.')));
    out += "},\"message\":";
    append_text(out, line.message);
    for (const Field& field : line.fields)
        append_json_field(out, field);
    if (!line.trace_id.empty()) {
        out += ",\"traceId\":";
        append_text(out, line.trace_id);
    }
    out += ",\"ecs\":{\"version\":\"8.11\"}}";
    return out;
}

std::string text_line(const LogLine& line) {
    const SplitTime time = split(line.wall_us);
    std::tm local{};
    localtime_r(&time.seconds, &local);
    std::string out;
    fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}.{:03} {:<5} {}  ", local.tm_hour,
                   local.tm_min, local.tm_sec, time.micros / 1000, to_string(line.level),
                   line.logger);
    append_message(out, line.message);
    const char* gap = "  ";
    for (const Field& field : line.fields) {
        fmt::format_to(std::back_inserter(out), "{}{}=", gap, field.name);
        std::visit(TextValue{out}, field.value);
        gap = " ";
    }
    if (!line.trace_id.empty()) {
        fmt::format_to(std::back_inserter(out), "{}traceId=", gap);
        TextValue{out}(line.trace_id);
    }
    return out;
}

}  // namespace adtally::observability
