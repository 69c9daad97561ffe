#include "pipeline/processor/redis_sink/dead_lettered.hpp"

#include <fmt/format.h>

#include <string>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::redis_sink {

Result<processor::OffsetRanges> read_dead_lettered(redis::Client& client, std::string_view topic,
                                                   Partition partition, Offset from) {
    const std::string key = keys::dead_lettered(topic, partition);
    const std::string least = std::to_string(from.value);
    ADTALLY_TRY(const auto reply, client.command({"ZRANGEBYSCORE", key, least, "+inf"}));
    const auto foreign = [&](std::string_view what) {
        return Error{
            ErrorCode::corrupt,
            fmt::format("Redis key {} holds '{}', which is no range of offsets; restore it "
                        "or remove it",
                        key, what)};
    };
    if (reply.kind != redis::Reply::Kind::array)
        return foreign(reply.text);
    processor::OffsetRanges places;
    for (const redis::Reply& each : reply.elements) {
        const std::string_view text{each.text};
        const std::size_t dash = text.find('-');
        if (dash == std::string_view::npos)
            return foreign(text);
        const auto first = domain::parse_decimal(text.substr(0, dash));
        const auto last = domain::parse_decimal(text.substr(dash + 1));
        if (!first || !last || *first > *last)
            return foreign(text);
        places.add({Offset{*first}, Offset{*last}});
    }
    return places;
}

}  // namespace adtally::redis_sink
