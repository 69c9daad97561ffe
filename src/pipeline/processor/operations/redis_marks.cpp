#include "pipeline/processor/operations/redis_marks.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::operations {
namespace {

namespace keys = redis_sink::keys;

constexpr std::string_view begun = "begun ";
constexpr std::string_view done = "done ";

// Removes the mark when it is what ARGV[1] begins and ARGV[2] ends. The place in the set belongs to
// whatever mark stands: it goes only when none is left.
constexpr std::string_view forget_source = R"lua(
local mark = redis.call('GET', KEYS[1])
if mark then
  if string.sub(mark, 1, #ARGV[1]) ~= ARGV[1] or string.sub(mark, -#ARGV[2]) ~= ARGV[2] then
    return 0
  end
  redis.call('DEL', KEYS[1])
end
redis.call('ZREM', KEYS[2], ARGV[3])
return 1
)lua";

std::string random_name() {
    std::uint64_t bits = 0;
    randombytes_buf(&bits, sizeof bits);
    return fmt::format(" {:016x}", bits);
}

std::string key_of(const Letter& letter) {
    return keys::redriven(letter.origin_id());
}

}  // namespace

void RedisMarks::queue(std::initializer_list<std::string_view> words) {
    client_.append(redis::Words(words.begin(), words.size()));
}

RedisMarks::RedisMarks(redis::Client& client, std::string topic)
    : client_(client), topic_(std::move(topic)), ours_(random_name()) {}

// Before the mark itself: a mark that is in no set would never expire.
void RedisMarks::queue_place(const Letter& letter) {
    queue({"ZADD", keys::redriven_letters(topic_, letter.position.partition), "GT",
           std::to_string(letter.position.offset.value), letter.origin_id()});
}

Result<std::vector<redis::Reply>> RedisMarks::ask() {
    ADTALLY_TRY(auto replies, client_.exchange());
    for (const redis::Reply& reply : replies)
        if (reply.is_error())
            return Error{ErrorCode::unavailable,
                         "Redis refuses the marks of letters: " + reply.text};
    return replies;
}

Result<std::optional<RedriveMark>> RedisMarks::find(const Letter& letter) {
    queue({"GET", key_of(letter)});
    ADTALLY_TRY(const auto replies, ask());
    const redis::Reply& reply = replies.front();
    if (reply.is_nil())
        return std::optional<RedriveMark>{};
    std::string_view text{reply.text};
    RedriveMark mark;
    mark.done = text.starts_with(done);
    text.remove_prefix(std::min(text.size(), mark.done ? done.size() : begun.size()));
    text = text.substr(0, text.find(' '));
    mark.at = TimestampMs{domain::parse_decimal(text).value_or(0)};
    return std::optional{mark};
}

Result<bool> RedisMarks::begin(const Letter& letter, TimestampMs now) {
    queue_place(letter);
    queue({"SET", key_of(letter), fmt::format("{}{}{}", begun, now.value, ours_), "NX"});
    ADTALLY_TRY(const auto replies, ask());
    return !replies.back().is_nil();
}

Status RedisMarks::finish(const Letter& letter, TimestampMs now) {
    queue_place(letter);
    queue({"SET", key_of(letter), fmt::format("{}{}", done, now.value)});
    ADTALLY_TRY(ask());
    return ok();
}

Status RedisMarks::forget(const Letter& letter) {
    const redis::Script script{std::string(forget_source)};
    const std::string mark = key_of(letter);
    const std::string set = keys::redriven_letters(topic_, letter.position.partition);
    const std::string origin = letter.origin_id();
    const std::array<std::string_view, 2> names{mark, set};
    const std::array<std::string_view, 3> arguments{begun, ours_, origin};
    ADTALLY_TRY(const auto reply, redis::evaluate(client_, script, names, arguments));
    if (reply.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the marks of letters: " + reply.text};
    return ok();
}

// Of a version that let marks expire, too.
Status RedisMarks::keep(const Letter& letter) {
    queue_place(letter);
    queue({"PERSIST", key_of(letter)});
    ADTALLY_TRY(ask());
    return ok();
}

Status RedisMarks::removed_before(Partition partition, Offset begin) {
    constexpr std::string_view at_once = "1000";
    const std::string set = keys::redriven_letters(topic_, partition);
    const std::string below = fmt::format("({}", begin.value);
    const std::string ttl = std::to_string(keys::redriven_ttl);
    while (true) {
        queue({"ZRANGEBYSCORE", set, "-inf", below, "LIMIT", "0", at_once});
        ADTALLY_TRY(const auto replies, ask());
        const auto& origins = replies.front().elements;
        if (origins.empty())
            return ok();
        for (const redis::Reply& origin : origins) {
            queue({"EXPIRE", keys::redriven(origin.text), ttl});
            queue({"ZREM", set, origin.text});
        }
        ADTALLY_TRY(ask());
    }
}

}  // namespace adtally::operations
