// Brings the loop's belief in line with the store: part of Processor, see processor.hpp.
//
// Called at the start, after every failure or conflict, after every reconnect, and twice a second.
// The cases, by what the store says of a partition:
//   the same as flushed        nothing to do, what is pending stays
//   the same as next           the last flush was applied and its answer lost: take it as applied
//   anything else, or nothing  start over from there, with the window restored from the log
//
// What stands before a partition's next record is read in slices, between which the others are
// processed and the group is served. A partition that fails is left alone for a while; the others
// go on. Of those that failed one a round is tried again.
#include <fmt/format.h>
#include <algorithm>
#include <span>

#include "pipeline/processor/processor.hpp"
#include "pipeline/processor/telemetry.hpp"

namespace adtally::processor {
namespace {

const std::string history_failed = "what spooled events may double cannot be read: ";

std::string text_of(std::optional<Offset> offset) {
    return offset ? std::to_string(offset->value) : "none";
}

// Whether the store says what we believe; what it took without an answer is taken as flushed.
bool agrees(PartitionState& state, std::optional<Offset> stored) {
    if (!state.positioned())
        return false;
    if (state.first() ? !stored.has_value() : stored == state.flushed())
        return true;
    if (!state.pending() || stored != state.next())
        return false;
    state.mark_flushed();
    return true;
}

}  // namespace

Status Processor::synchronise() {
    std::uint64_t generation = store_.generation();
    if (!log_bound_ || generation != generation_) {
        ADTALLY_TRY(auto info, log_.topic(options_.topic));
        ADTALLY_TRY(store_.bind_log(info.log_id));
        log_bound_ = true;
    }
    std::vector<Partition> partitions;
    partitions.reserve(partitions_.size());
    for (const auto& state : partitions_)
        partitions.push_back(state->partition());
    ADTALLY_TRY(auto stored, store_.positions(partitions));
    // The first connection is made by the first of the reads: it has replaced none.
    const bool first_connection = generation == 0 && store_.generation() == 1;
    if (first_connection)
        generation = 1;
    if (store_.generation() != generation) {
        // Connected anew while reading: the checks above were of the store before. Once more.
        log_bound_ = false;
        return Error{ErrorCode::unavailable, "Redis was connected to anew; looking at it again"};
    }
    generation_ = generation;
    must_synchronise_ = !take_up(stored);
    last_verified_ = clock_.steady();
    return ok();
}

// False when some are left for the next round: a question about a partition without a leader takes
// seconds, and there may be many of them. Between two such questions the others are read and
// flushed, and the group is served.
bool Processor::take_up(std::span<const std::optional<Offset>> stored) {
    const PartitionState* again = next_held_up();
    bool all = true;
    bool asked = false;
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        PartitionState& state = *partitions_[i];
        const bool held_up = held_up_.contains(state.partition());
        if (held_up && &state != again)
            continue;
        const bool agreed = agrees(state, stored[i]);
        const SteadyTime begin = clock_.steady();
        if (!agreed && asked && begin >= slice_end_) {
            all = false;
            continue;
        }
        asked = asked || !agreed;
        const Status done = agreed ? resume(state) : rewind(state, stored[i]);
        if (!done) {
            hold_up(state, done.error().message, begin);
        } else if (held_up) {
            held_up_.erase(state.partition());
            all = all && held_up_.empty();  // so the next one may be over as well
        }
    }
    return all;
}

Status Processor::resume(PartitionState& state) {
    if (restoring_.contains(state.partition()))
        return ok();
    return seek(state, state.next());
}

// Once an assignment, unless reading starts over.
Status Processor::seek(PartitionState& state, Offset next) {
    if (!unsought_.contains(state.partition()))
        return ok();
    Status sought = consumer_->seek(state.partition(), next);
    if (sought)
        unsought_.erase(state.partition());
    return sought;
}

Status Processor::rewind(PartitionState& state, std::optional<Offset> stored) {
    const Partition partition = state.partition();
    if (state.positioned()) {
        telemetry_->rewinds.add(1);
        logger_.warn("partition starts over from the stored offset",
                     {{"partition", static_cast<std::int64_t>(partition.value)},
                      {"flushed", state.flushed().value},
                      {"stored", std::string_view(text_of(stored))}});
        std::lock_guard lock(mutex_);
        snapshot_.rewinds += 1;
    }
    ADTALLY_TRY(auto watermarks, consumer_->watermarks(partition));
    Offset from = stored.value_or(watermarks.begin);
    if (from > watermarks.end)
        return Error{ErrorCode::conflict,
                     fmt::format("Redis has counted partition {} up to {}, but the log ends at {}: "
                                 "the log was replaced; restore it, or empty this Redis database "
                                 "to count from the log's beginning",
                                 partition.value, from.value, watermarks.end.value)};
    ADTALLY_TRY(const auto letters, store_.dead_lettered(partition, watermarks.begin));
    Offset readable = std::max(from, watermarks.begin);
    if (readable > from)
        logger_.error("retention removed records before they were counted",
                      {{"partition", static_cast<std::int64_t>(partition.value)},
                       {"records", readable.value - from.value}});
    state.reset_to(from, readable, !stored.has_value());
    state.recall(letters);
    state.set_log_begin(watermarks.begin);
    ADTALLY_TRY(const auto begin, begin_of_window(state, watermarks));
    restoring_[partition] = {.at = begin, .to = readable};
    unsought_.insert(partition);
    return ok();
}

// The window is of log time: it reaches back from the record that comes next. If that is yet to be
// written it will not be older than the last one, whatever our own clock says.
Result<Offset> Processor::begin_of_window(PartitionState& state, eventlog::Watermarks log) {
    const Partition partition = state.partition();
    const Offset next = state.next();
    eventlog::FetchedBatch batch;
    TimestampMs at = clock_.wall();
    // The second and the last are for offsets without records.
    constexpr std::int64_t further = 1'000;
    const std::pair<std::int64_t, std::int64_t> places[] = {
        {next.value, next.value + 1},
        {next.value, log.end.value},
        {next.value - 1, next.value},
        {next.value - further, next.value},
    };
    for (const auto& [from, to] : places) {
        const Offset begin{std::max(from, log.begin.value)};
        const Offset end{std::min(to, log.end.value)};
        if (begin >= end)
            continue;
        ADTALLY_TRY(consumer_->read(partition, begin, end, batch));
        if (batch.records.empty())
            continue;
        const auto& nearest = begin == next ? batch.records.front() : batch.records.back();
        at = std::min(at, nearest.appended_at);
        break;
    }
    const TimestampMs since{at.value - remembered(options_.dedup_window).count()};
    ADTALLY_TRY(const auto from, consumer_->offset_at(partition, since));
    return std::max(from, log.begin);
}

PartitionState* Processor::next_to_restore() {
    for (auto& state : partitions_)
        if (restoring_.contains(state->partition()))
            return state.get();
    return nullptr;
}

void Processor::restore_some() {
    while (PartitionState* state = next_to_restore()) {
        const SteadyTime begin = clock_.steady();
        const bool history = restoring_.at(state->partition()).history;
        const auto restored = restore(*state);
        if (restored && !restored.value())
            return;
        const Status sought = restored ? seek(*state, state->next()) : Status{restored.error()};
        if (!sought)
            hold_up(*state, (history ? history_failed : "") + sought.error().message, begin);
        if (clock_.steady() >= slice_end_)
            return;
    }
}

// False when there is more to be read than this round has time for.
Result<bool> Processor::restore(PartitionState& state) {
    Restoring& restoring = restoring_.at(state.partition());
    eventlog::FetchedBatch batch;
    while (restoring.at < restoring.to) {
        ADTALLY_TRY(consumer_->read(state.partition(), restoring.at, restoring.to, batch));
        for (const eventlog::FetchedRecord& record : batch.records) {
            if (restoring.history)
                state.remember_history(record, tools_);
            else
                state.remember(record, tools_);
        }
        restoring.records += static_cast<std::int64_t>(batch.records.size());
        restoring.at =
            batch.records.empty() ? restoring.to : Offset{batch.records.back().offset.value + 1};
        if (restoring.at < restoring.to && clock_.steady() >= slice_end_)
            return false;
    }
    if (!restoring.history && restoring.records > 0)
        logger_.info("deduplication window restored",
                     {{"partition", static_cast<std::int64_t>(state.partition().value)},
                      {"records", restoring.records}});
    restoring_.erase(state.partition());
    return true;
}

// Reads what a late record may double. False when that takes longer than this round: the partition
// is sought again then.
bool Processor::look_back(PartitionState& state) {
    const SteadyTime begin = clock_.steady();
    const Partition partition = state.partition();
    const auto from = begin_history(state, *consumer_);
    if (from) {
        restoring_[partition] = {.at = from.value(), .to = state.next(), .history = true};
        logger_.info("events that waited in a spool: the log is looked through for doubles",
                     {{"partition", static_cast<std::int64_t>(partition.value)}});
        if (state.history_truncated())
            logger_.error("too many records since then to remember: of older ones, doubles count",
                          {{"partition", static_cast<std::int64_t>(partition.value)},
                           {"remembered", history_read_records}});
    }
    const auto restored = from ? restore(state) : Result<bool>{from.error()};
    if (!restored)
        hold_up(state, history_failed + restored.error().message, begin);
    else if (!restored.value())
        unsought_.insert(partition);
    return restored && restored.value();
}

}  // namespace adtally::processor
