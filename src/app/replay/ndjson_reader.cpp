#include "app/replay/ndjson_reader.hpp"

#include <boost/json.hpp>

#include "domain/codec.hpp"
#include "domain/validation.hpp"

namespace adtally::replay {
namespace {

namespace json = boost::json;

std::string place(const std::string& path, const Line& line) {
    return path + ":" + std::to_string(line.number) + ": ";
}

// 0 when there is none, or one that only the collector can judge.
TimestampMs time_of(const json::object& event) {
    const json::value* time = event.if_contains("timestamp");
    if (time == nullptr) {
        return TimestampMs{0};
    }
    if (const std::int64_t* number = time->if_int64()) {
        return TimestampMs{*number};
    }
    if (const json::string* text = time->if_string()) {
        std::string_view view{text->data(), text->size()};
        if (auto parsed = domain::parse_rfc3339(view)) {
            return *parsed;
        }
        return TimestampMs{domain::parse_decimal(view).value_or(0)};
    }
    return TimestampMs{0};
}

}  // namespace

Result<bool> NdjsonReader::next(std::vector<ReplayEvent>& into) {
    while (auto line = lines_.next()) {
        if (line->text.find_first_not_of(" \t") != std::string_view::npos) {
            return convert(*line, into);
        }
    }
    return false;
}

Result<bool> NdjsonReader::convert(const Line& line, std::vector<ReplayEvent>& into) {
    boost::system::error_code error;
    json::value parsed = json::parse({line.text.data(), line.text.size()}, error);
    json::object* event = error ? nullptr : parsed.if_object();
    if (event == nullptr) {
        return Error{ErrorCode::invalid_argument, place(path_, line) + "not a JSON object"};
    }
    bool changed = false;
    TimestampMs time = time_of(*event);
    if (time.value != 0 && options_.shift_ms != 0) {
        time.value += options_.shift_ms;
        std::string text;
        domain::append_rfc3339(time, text);
        (*event)["timestamp"] = text;
        changed = true;
    }
    json::value* id = event->if_contains("event_id");
    if (id == nullptr) {
        std::string_view fresh = ids_.next(clock_.wall());
        (*event)["event_id"] = json::string_view{fresh.data(), fresh.size()};
        changed = true;
    } else if (!options_.event_id_prefix.empty() && id->is_string()) {
        id->get_string().insert(0, options_.event_id_prefix);
        changed = true;
    }
    into.push_back(ReplayEvent{changed ? json::serialize(parsed) : std::string(line.text), time});
    return true;
}

}  // namespace adtally::replay
