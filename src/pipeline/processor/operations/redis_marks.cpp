#include "pipeline/processor/operations/redis_marks.hpp"

#include <fmt/format.h>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::operations {
namespace {

constexpr std::string_view begun = "begun ";
constexpr std::string_view done = "done ";

std::string text_of(std::string_view state, TimestampMs now) {
    return fmt::format("{}{}", state, now.value);
}

}  // namespace

Result<redis::Reply> RedisMarks::ask(std::initializer_list<std::string_view> words) {
    ADTALLY_TRY(auto reply, client_.command(words));
    if (reply.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the marks of letters: " + reply.text};
    return reply;
}

Result<std::optional<RedriveMark>> RedisMarks::find(const std::string& origin) {
    ADTALLY_TRY(const auto reply, ask({"GET", redis_sink::keys::redriven(origin)}));
    if (reply.is_nil())
        return std::optional<RedriveMark>{};
    std::string_view text{reply.text};
    RedriveMark mark;
    mark.done = text.starts_with(done);
    text.remove_prefix(std::min(text.size(), mark.done ? done.size() : begun.size()));
    mark.at = TimestampMs{domain::parse_decimal(text).value_or(0)};
    return std::optional{mark};
}

Result<bool> RedisMarks::begin(const std::string& origin, TimestampMs now) {
    const std::string ttl = std::to_string(redis_sink::keys::redriven_ttl);
    ADTALLY_TRY(const auto reply, ask({"SET", redis_sink::keys::redriven(origin),
                                       text_of(begun, now), "NX", "EX", ttl}));
    return !reply.is_nil();
}

Status RedisMarks::finish(const std::string& origin, TimestampMs now) {
    const std::string ttl = std::to_string(redis_sink::keys::redriven_ttl);
    ADTALLY_TRY(ask({"SET", redis_sink::keys::redriven(origin), text_of(done, now), "EX", ttl}));
    return ok();
}

Status RedisMarks::forget(const std::string& origin) {
    ADTALLY_TRY(ask({"DEL", redis_sink::keys::redriven(origin)}));
    return ok();
}

}  // namespace adtally::operations
