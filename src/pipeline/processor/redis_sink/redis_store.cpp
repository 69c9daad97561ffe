#include "pipeline/processor/redis_sink/redis_store.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <utility>

#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::redis_sink {

using processor::Flush;
using processor::FlushOutcome;
using redis::Reply;

namespace {

// Redis runs one call after the other and nothing beside it: what others may wait for.
constexpr std::size_t most_cells = 10'000;

}  // namespace

RedisStore::RedisStore(redis::ClientOptions options, std::string topic, const Clock& clock,
                       CrashPoints& crash_points, std::optional<CountingRules> rules)
    : client_(std::move(options)),
      topic_(std::move(topic)),
      clock_(clock),
      crash_points_(crash_points),
      rules_(std::move(rules)),
      script_(flush_script_source()) {}

void RedisStore::make_calls(std::span<const Flush> flushes,
                            const processor::Thresholds& thresholds) {
    calls_.clear();
    FlushCall::Flushes together;
    std::size_t cells = 0;
    const auto close = [&] {
        if (!together.empty())
            calls_.emplace_back().build(topic_, std::exchange(together, {}), thresholds,
                                        clock_.wall());
        cells = 0;
    };
    for (const Flush& flush : flushes) {
        const std::size_t more = flush.deltas->cells();
        if (cells + more > most_cells)
            close();
        together.push_back(&flush);
        cells += more;
    }
    close();
}

Result<Reply> RedisStore::evaluate(const FlushCall& call) {
    std::vector<std::string_view> words;
    call.append_to(words);
    const auto after_count = std::span<const std::string_view>(words).subspan(1);
    return redis::evaluate(client_, script_, after_count.first(call.key_count()),
                           after_count.subspan(call.key_count()));
}

Result<std::vector<FlushOutcome>> RedisStore::apply(std::span<const Flush> flushes,
                                                    const processor::Thresholds& thresholds) {
    make_calls(flushes, thresholds);
    std::vector<std::string_view> words;
    for (const FlushCall& call : calls_) {
        words.assign({"EVALSHA", script_.sha1()});
        call.append_to(words);
        client_.append(words);
    }
    ADTALLY_TRY(client_.send());
    crash_points_.pass(CrashPoint::processor_after_send);
    ADTALLY_TRY(auto replies, client_.receive());

    std::vector<FlushOutcome> outcomes;
    outcomes.reserve(flushes.size());
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        ADTALLY_TRY(auto settled, settle(calls_[i], std::move(replies[i]), thresholds));
        for (auto& outcome : settled)
            outcomes.push_back(std::move(*outcome));
    }
    return outcomes;
}

// Whoever cannot be applied does not keep the others from it.
Result<RedisStore::Outcomes> RedisStore::settle(const FlushCall& call, Reply reply,
                                                const processor::Thresholds& thresholds) {
    // A Redis that was restarted, or told to, has forgotten the script: nothing was run.
    if (reply.is_error() && reply.text.starts_with("NOSCRIPT")) {
        ADTALLY_TRY(reply, evaluate(call));
    }
    Outcomes outcomes = parse_flush_reply(reply, call);
    const FlushCall::Flushes& flushes = call.flushes();
    const bool refused = std::ranges::all_of(outcomes, [](const auto& outcome) {
        return outcome && outcome->kind == FlushOutcome::Kind::refused;
    });
    if (refused && flushes.size() > 1) {
        for (std::size_t i = 0; i < flushes.size(); ++i) {
            ADTALLY_TRY(auto alone, run({flushes[i]}, thresholds));
            outcomes[i] = std::move(alone.front());
        }
        return outcomes;
    }
    FlushCall::Flushes others;
    for (std::size_t i = 0; i < flushes.size(); ++i)
        if (!outcomes[i])
            others.push_back(flushes[i]);
    if (others.empty())
        return outcomes;
    ADTALLY_TRY(auto later, run(std::move(others), thresholds));
    auto next = later.begin();
    for (auto& outcome : outcomes)
        if (!outcome)
            outcome = std::move(*next++);
    return outcomes;
}

Result<RedisStore::Outcomes> RedisStore::run(FlushCall::Flushes flushes,
                                             const processor::Thresholds& thresholds) {
    FlushCall call;
    call.build(topic_, std::move(flushes), thresholds, clock_.wall());
    ADTALLY_TRY(auto reply, evaluate(call));
    return settle(call, std::move(reply), thresholds);
}

Result<std::vector<std::optional<Offset>>> RedisStore::positions(
    std::span<const Partition> partitions) {
    std::vector<std::optional<Offset>> offsets(partitions.size());
    if (partitions.empty()) {
        ADTALLY_TRY(client_.command({"PING"}));
        return offsets;
    }
    std::vector<std::string> names;
    for (Partition partition : partitions)
        names.push_back(keys::offset(topic_, partition));
    std::vector<std::string_view> words{"MGET"};
    words.insert(words.end(), names.begin(), names.end());
    ADTALLY_TRY(auto reply, client_.command(words));
    if (reply.kind != Reply::Kind::array || reply.elements.size() != partitions.size())
        return Error{ErrorCode::internal, "Redis answered MGET with " + reply.text};
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        const Reply& element = reply.elements[i];
        if (element.is_nil())
            continue;
        std::int64_t value = -1;
        const char* end = element.text.data() + element.text.size();
        auto parsed = std::from_chars(element.text.data(), end, value);
        if (parsed.ec != std::errc{} || parsed.ptr != end || value < 0)
            return Error{ErrorCode::corrupt, fmt::format("Redis key {} holds '{}', which is no "
                                                         "offset; restore it",
                                                         names[i], element.text)};
        offsets[i] = Offset{value};
    }
    return offsets;
}

Result<processor::OffsetRanges> RedisStore::dead_lettered(Partition partition, Offset from) {
    return read_dead_lettered(client_, topic_, partition, from);
}

Status RedisStore::bind_log(const std::string& log_id) {
    ADTALLY_TRY(check_eviction());
    ADTALLY_TRY(redis_sink::bind_log(client_, topic_, log_id));
    if (!rules_)
        return ok();
    return keep_rules(client_, topic_, *rules_, clock_.wall());
}

// A Redis that evicts keys would drop counts without a word.
Status RedisStore::check_eviction() {
    ADTALLY_TRY(auto reply, client_.command({"CONFIG", "GET", "maxmemory-policy"}));
    if (reply.kind != Reply::Kind::array || reply.elements.size() != 2)
        return ok();  // a managed Redis that does not tell
    const std::string& policy = reply.elements[1].text;
    if (policy == "noeviction")
        return ok();
    return Error{
        ErrorCode::conflict,
        fmt::format("Redis may evict counts (maxmemory-policy {}); set it to noeviction", policy)};
}

}  // namespace adtally::redis_sink
