// What the flush script answers: {1, five values per ad and campaign…}; {0, number of a flush that
// is in conflict, its stored offset or '', …}; {2, key, what is wrong with it}.
#include <fmt/format.h>
#include <charconv>

#include "pipeline/processor/redis_sink/flush_script.hpp"

namespace adtally::redis_sink {
namespace {

using processor::Entity;
using processor::FlushOutcome;
using redis::Reply;

std::optional<std::int64_t> number(const std::string& text) {
    std::int64_t value = 0;
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

FlushOutcome refused(std::string reason) {
    FlushOutcome outcome;
    outcome.kind = FlushOutcome::Kind::refused;
    outcome.reason = std::move(reason);
    return outcome;
}

using Outcomes = std::vector<std::optional<FlushOutcome>>;

FlushOutcome applied(const Reply& reply, const processor::Deltas& deltas) {
    constexpr std::size_t counters = 5;
    std::size_t entities = deltas.ads.size() + deltas.campaigns.size();
    if (reply.elements.size() != 1 + counters * entities)
        return refused("Redis answered a flush with the wrong number of totals");
    FlushOutcome outcome;
    outcome.totals.reserve(entities);
    for (std::size_t i = 0; i < entities; ++i) {
        bool is_ad = i < deltas.ads.size();
        processor::EntityTotals totals;
        totals.entity = is_ad ? Entity::ad : Entity::campaign;
        totals.id = is_ad ? deltas.ads[i].id : deltas.campaigns[i - deltas.ads.size()].id;
        std::int64_t values[counters];
        for (std::size_t m = 0; m < counters; ++m)
            values[m] = number(reply.elements[1 + i * counters + m].text).value_or(0);
        totals.values = {values[0], values[1], values[2], domain::Nanos{values[3]},
                         domain::Nanos{values[4]}};
        outcome.totals.push_back(totals);
    }
    return outcome;
}

Outcomes conflicts(const Reply& reply, std::size_t flushes) {
    Outcomes outcomes(flushes);
    for (std::size_t i = 1; i + 1 < reply.elements.size(); i += 2) {
        const auto place = static_cast<std::size_t>(reply.elements[i].integer) - 1;
        if (place >= flushes)
            return Outcomes(flushes, refused("Redis names a partition that the flush has not"));
        FlushOutcome& outcome = outcomes[place].emplace();
        outcome.kind = FlushOutcome::Kind::conflict;
        if (auto stored = number(reply.elements[i + 1].text))
            outcome.stored = Offset{*stored};
    }
    return outcomes;
}

FlushOutcome foreign_key(const Reply& reply) {
    std::string key = reply.elements.size() > 2 ? reply.elements[1].text : "a key";
    std::string what = reply.elements.size() > 2 ? reply.elements[2].text : "is not ours";
    // Removing it would make the rest of it worse: the books of the partition say what stood there.
    const bool is_offset = what.starts_with("is missing");
    return refused(fmt::format(
        "Redis key {} {}; {}", key, what,
        is_offset ? "if nothing else was removed, SET it to the sum of base, counted, duplicates, "
                    "dead_lettered and expired of its adtally:books:… and run adtally rebuild; "
                    "else empty this Redis: all is counted anew from the log"
                  : "RENAME it out of the way, then let adtally rebuild --apply count it again"));
}

}  // namespace

Outcomes parse_flush_reply(const Reply& reply, const FlushCall& call) {
    const std::size_t flushes = call.flushes().size();
    if (reply.is_error())
        return Outcomes(flushes, refused("Redis refused the flush: " + reply.text));
    if (reply.kind != Reply::Kind::array || reply.elements.empty())
        return Outcomes(flushes,
                        refused("Redis answered a flush with something that is not a list"));
    switch (reply.elements[0].integer) {
        case 0:
            return conflicts(reply, flushes);
        case 1: {
            FlushOutcome first = applied(reply, call.deltas());
            FlushOutcome other;
            other.kind = first.kind;
            other.reason = first.reason;
            Outcomes outcomes(flushes, std::move(other));
            outcomes.front() = std::move(first);
            return outcomes;
        }
        default:
            return Outcomes(flushes, foreign_key(reply));
    }
}

}  // namespace adtally::redis_sink
