#include "sim/world/redis_model.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace adtally::sim {

using processor::Flush;
using processor::FlushOutcome;

RedisModel::RedisModel(Setting& setting) : setting_(setting) {
    instances_.push_back({true, {RedisState{}}});
}

bool RedisModel::passes_guard(std::optional<std::int64_t> stored, const Flush& flush) const {
    if (!stored)
        return flush.first;
    if (setting_.bug == PlantedBug::less_than)
        return *stored < flush.end.value;
    return !flush.first && *stored == flush.start.value;
}

FlushOutcome RedisModel::apply(std::size_t number, const Flush& flush) {
    Instance& instance = instances_[number];
    const auto partition = static_cast<std::size_t>(flush.partition.value);
    RedisState state = instance.states.back();
    FlushOutcome outcome;
    if (!passes_guard(state.offsets[partition], flush)) {
        outcome.kind = FlushOutcome::Kind::conflict;
        if (state.offsets[partition])
            outcome.stored = Offset{*state.offsets[partition]};
        setting_.faults.saw(Fault::conflict);
        setting_.tell("  Redis {}: conflict, partition {} is at {}, the flush is {}..{}", number,
                      partition, state.offsets[partition].value_or(-1), flush.start.value,
                      flush.end.value);
        return outcome;
    }
    for (const processor::EntityDelta& ad : flush.deltas->ads) {
        auto& total = state.ads.at(static_cast<std::size_t>(ad.id));
        total.merge(ad.delta);
        outcome.totals.push_back({processor::Entity::ad, ad.id, total});
    }
    for (const processor::EntityDelta& one : flush.deltas->campaigns)
        state.campaign.at(static_cast<std::size_t>(one.id)).merge(one.delta);
    state.books[partition].counted += flush.books.counted;
    state.books[partition].duplicates += flush.books.duplicates;
    state.books[partition].dead_lettered += flush.books.dead_lettered;
    state.books[partition].expired += flush.books.expired;
    state.dead_lettered[partition].add(flush.deltas->dead_letters);
    state.offsets[partition] = flush.end.value;
    setting_.tell("  Redis {}: applied, partition {} {}..{}: {} counted, {} duplicates, {} poison",
                  number, partition, flush.start.value, flush.end.value, flush.books.counted,
                  flush.books.duplicates, flush.books.dead_lettered);
    instance.states.push_back(std::move(state));
    ++applied_;
    return outcome;
}

void RedisModel::keep_late(std::size_t instance, const Flush& flush) {
    late_.push_back({instance, flush, *flush.deltas});
}

void RedisModel::run_late_request() {
    if (late_.empty())
        return;
    const auto at =
        late_.begin() + static_cast<std::ptrdiff_t>(setting_.random.below(late_.size()));
    LateRequest request = std::move(*at);
    late_.erase(at);
    request.flush.deltas = &request.deltas;
    setting_.tell("a late request reaches Redis {}", request.instance);
    if (alive(request.instance))
        apply(request.instance, request.flush);
}

std::string RedisModel::bind(std::size_t instance, const std::string& log_id) {
    RedisState& state = instances_[instance].states.back();
    if (state.bound_to.empty())
        state.bound_to = log_id;
    return state.bound_to;
}

void RedisModel::run_late_requests() {
    while (!late_.empty())
        run_late_request();
}

// Mostly the last few flushes are lost, sometimes everything.
void RedisModel::fail_over() {
    Instance& old = instances_.back();
    const std::size_t flushes = old.states.size() - 1;
    std::size_t lost = std::min(flushes, setting_.random.below(4));
    if (setting_.random.one_in(8))
        lost = setting_.random.below(flushes + 1);
    Instance next;
    next.states.assign(old.states.begin(), old.states.end() - static_cast<std::ptrdiff_t>(lost));
    old.alive = setting_.faults.strikes(Fault::split_brain);
    setting_.faults.saw(Fault::failover);
    setting_.faults.saw(Fault::tail_lost, lost);
    setting_.tell("Redis {} takes over without the last {} of {} flushes; {} {}", instances_.size(),
                  lost, flushes, current(), old.alive ? "lives on" : "is dead");
    instances_.push_back(std::move(next));
}

void RedisModel::fence() {
    for (std::size_t i = 0; i < current(); ++i)
        if (std::exchange(instances_[i].alive, false))
            setting_.tell("Redis {} is fenced", i);
}

}  // namespace adtally::sim
