#include "sim/world/host_store.hpp"

namespace adtally::sim {

using processor::Flush;
using processor::FlushOutcome;

HostStore::HostStore(int host, Setting& setting, RedisModel& redis, const Group& group,
                     Interrupter& interrupter)
    : host_(host), setting_(setting), redis_(redis), group_(group), interrupter_(interrupter) {}

bool HostStore::connected() const {
    return !redis_.away && instance_ && redis_.alive(*instance_);
}

Error HostStore::cut(ErrorCode code, const char* why) {
    setting_.tell("  processor {}: {}", host_, why);
    instance_.reset();
    return Error{code, why};
}

Status HostStore::connect() {
    if (redis_.away)
        return cut(ErrorCode::unavailable, "Redis is away");
    if (connected())
        return ok();
    instance_ = redis_.current();
    ++generation_;
    setting_.tell("  processor {} connects to Redis {}", host_, *instance_);
    return ok();
}

Result<std::vector<FlushOutcome>> HostStore::apply(std::span<const Flush> flushes,
                                                   const processor::Thresholds&) {
    interrupter_.interrupt(host_, "before a flush");
    if (setting_.faults.strikes(Fault::held_before_flush))
        interrupter_.hold(host_, "before a flush");
    ADTALLY_TRY(connect());
    if (setting_.faults.strikes(Fault::request_lost))
        return cut(ErrorCode::unavailable, "the flush was lost");
    if (setting_.faults.strikes(Fault::request_late)) {
        for (const Flush& flush : flushes)
            redis_.keep_late(*instance_, flush);
        return cut(ErrorCode::timed_out, "the flush timed out, and is on its way");
    }
    std::vector<FlushOutcome> outcomes;
    for (const Flush& flush : flushes) {
        if (!outcomes.empty()) {
            if (setting_.faults.strikes(Fault::pipeline_cut))
                return cut(ErrorCode::timed_out, "the flush was cut between two partitions");
            interrupter_.interrupt(host_, "between two scripts of a flush");
        }
        if (!connected())
            return cut(ErrorCode::unavailable, "the connection ended within the flush");
        ADTALLY_TRY(auto outcome, apply_one(flush));
        outcomes.push_back(std::move(outcome));
    }
    if (setting_.faults.strikes(Fault::reply_lost))
        return cut(ErrorCode::timed_out, "the flush's reply was lost");
    interrupter_.interrupt(host_, "after a flush");
    return outcomes;
}

Result<FlushOutcome> HostStore::apply_one(const Flush& flush) {
    if (setting_.faults.strikes(Fault::flush_refused)) {
        FlushOutcome refused;
        refused.kind = FlushOutcome::Kind::refused;
        refused.reason = "a key is not ours";
        return refused;
    }
    const int owner = group_.owner(flush.partition.value);
    const bool zombie = owner >= 0 && owner != host_;
    if (zombie)
        setting_.faults.saw(Fault::zombie_flush);
    FlushOutcome outcome = redis_.apply(*instance_, flush);
    if (zombie && outcome.kind == FlushOutcome::Kind::conflict)
        setting_.faults.saw(Fault::zombie_refused);
    return outcome;
}

Result<processor::OffsetRanges> HostStore::dead_lettered(Partition partition, Offset from) {
    interrupter_.interrupt(host_, "before it reads dead letters");
    ADTALLY_TRY(connect());
    if (setting_.faults.strikes(Fault::positions_lost))
        return cut(ErrorCode::timed_out, "the dead letters' places were lost");
    auto found =
        redis_.state_of(*instance_).dead_lettered[static_cast<std::size_t>(partition.value)];
    found.trim_below(from);
    return found;
}

Result<std::vector<std::optional<Offset>>> HostStore::positions(
    std::span<const Partition> partitions) {
    interrupter_.interrupt(host_, "before it reads positions");
    ADTALLY_TRY(connect());
    if (setting_.faults.strikes(Fault::positions_lost))
        return cut(ErrorCode::timed_out, "the positions were lost");
    std::vector<std::optional<Offset>> all;
    for (const Partition partition : partitions) {
        const auto stored =
            redis_.state_of(*instance_).offsets[static_cast<std::size_t>(partition.value)];
        all.push_back(stored ? std::optional(Offset{*stored}) : std::nullopt);
    }
    interrupter_.interrupt(host_, "after it read positions");
    return all;
}

Status HostStore::bind_log(const std::string& log_id) {
    interrupter_.interrupt(host_, "before it binds the log");
    ADTALLY_TRY(connect());
    if (redis_.bind(*instance_, log_id) != log_id)
        return Error{ErrorCode::conflict, "Redis is bound to another log"};
    return ok();
}

}  // namespace adtally::sim
