// Brings the loop's belief in line with the store: part of Processor, see processor.hpp.
//
// Called at the start, after every failure or conflict, after every reconnect, and twice a second.
// The cases, by what the store says of a partition:
//   the same as flushed        nothing to do, what is pending stays
//   the same as next           the last flush was applied and its answer lost: take it as applied
//   anything else, or nothing  start over from there, with the window restored from the log
#include <fmt/format.h>
#include <algorithm>

#include "pipeline/processor/processor.hpp"
#include "pipeline/processor/telemetry.hpp"

namespace adtally::processor {
namespace {

std::string text_of(std::optional<Offset> offset) {
    return offset ? std::to_string(offset->value) : "none";
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
    if (store_.generation() != generation) {
        // Connected anew while reading: the checks above were of the store before. Once more.
        log_bound_ = false;
        return Error{ErrorCode::unavailable, "Redis was connected to anew; looking at it again"};
    }
    generation_ = generation;
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        ADTALLY_TRY(synchronise_one(*partitions_[i], stored[i]));
    }
    must_synchronise_ = false;
    last_verified_ = clock_.steady();
    return ok();
}

Status Processor::synchronise_one(PartitionState& state, std::optional<Offset> stored) {
    if (state.positioned()) {
        bool untouched = state.first() ? !stored.has_value() : stored == state.flushed();
        if (!untouched && state.pending() && stored == state.next()) {
            state.mark_flushed();
            untouched = true;
        }
        if (untouched)
            return seek(state, state.next());
    }
    return rewind(state, stored);
}

// Once an assignment, unless reading starts over.
Status Processor::seek(PartitionState& state, Offset next) {
    if (!unsought_.contains(state.partition()))
        return ok();
    Status sought = consumer_->seek(state.partition(), next);
    if (sought)
        unsought_.erase(state.partition());
    else
        state.forget();  // or it would be taken for one that is read
    return sought;
}

Status Processor::rewind(PartitionState& state, std::optional<Offset> stored) {
    ADTALLY_TRY(auto watermarks, consumer_->watermarks(state.partition()));
    Offset from = stored.value_or(watermarks.begin);
    if (from > watermarks.end)
        return Error{ErrorCode::conflict,
                     fmt::format("Redis has counted partition {} up to {}, but the log ends at {}: "
                                 "the log was replaced; restore it, or empty this Redis database "
                                 "to count from the log's beginning",
                                 state.partition().value, from.value, watermarks.end.value)};
    if (state.positioned()) {
        telemetry_->rewinds.add(1);
        logger_.warn("partition starts over from the stored offset",
                     {{"partition", static_cast<std::int64_t>(state.partition().value)},
                      {"flushed", state.flushed().value},
                      {"stored", std::string_view(text_of(stored))}});
        std::lock_guard lock(mutex_);
        snapshot_.rewinds += 1;
    }
    ADTALLY_TRY(const auto letters, store_.dead_lettered(state.partition(), watermarks.begin));
    Offset readable = std::max(from, watermarks.begin);
    if (readable > from)
        logger_.error("retention removed records before they were counted",
                      {{"partition", static_cast<std::int64_t>(state.partition().value)},
                       {"records", readable.value - from.value}});
    state.reset_to(from, readable, !stored.has_value());
    state.recall(letters);
    state.set_log_begin(watermarks.begin);
    if (Status restored = restore_window(state, watermarks); !restored) {
        state.forget();  // nothing is counted on half a window; the next round tries again
        return restored.error();
    }
    unsought_.insert(state.partition());
    return seek(state, readable);
}

Status Processor::restore_window(PartitionState& state, eventlog::Watermarks log) {
    Offset to = state.next();
    eventlog::FetchedBatch batch;
    // The window is of log time: it reaches back from the record that comes next. If that is yet to
    // be written it will not be older than the last one, whatever our own clock says.
    TimestampMs at = clock_.wall();
    if (to < log.end || to > log.begin) {
        Offset nearest{to < log.end ? to.value : to.value - 1};
        ADTALLY_TRY(consumer_->read(state.partition(), nearest, Offset{nearest.value + 1}, batch));
        if (!batch.records.empty())
            at = std::min(at, batch.records.front().appended_at);
    }
    TimestampMs since{at.value - options_.dedup_window.count()};
    ADTALLY_TRY(auto from, consumer_->offset_at(state.partition(), since));
    from = std::max(from, log.begin);
    std::int64_t restored = 0;
    while (from < to) {
        if (stopping())
            return Error{ErrorCode::unavailable, "stopping"};
        ADTALLY_TRY(consumer_->read(state.partition(), from, to, batch));
        if (batch.records.empty())
            return Error{ErrorCode::corrupt,
                         fmt::format("partition {} has no records from {} to {}",
                                     state.partition().value, from.value, to.value)};
        for (const eventlog::FetchedRecord& record : batch.records)
            state.remember(record, tools_);
        restored += static_cast<std::int64_t>(batch.records.size());
        from = Offset{batch.records.back().offset.value + 1};
        publish_snapshot();
    }
    if (restored > 0)
        logger_.info("deduplication window restored",
                     {{"partition", static_cast<std::int64_t>(state.partition().value)},
                      {"records", restored}});
    return ok();
}

}  // namespace adtally::processor
