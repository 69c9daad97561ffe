#include "pipeline/processor/rebuild/recount.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "domain/codec.hpp"
#include "domain/event.hpp"
#include "pipeline/processor/catalogue_reader.hpp"
#include "pipeline/processor/deduplicator.hpp"

namespace adtally::rebuild {
namespace {

// Folded and not merged yet: bounds the cells of ten seconds that are held.
constexpr std::int64_t merge_after = 50'000;

std::string text_of(TimestampMs time) {
    std::string text;
    domain::append_rfc3339(time, text);
    return text;
}

// When the day begins, in the zone; to the hour.
TimestampMs begin_of_day(domain::LocalDay day, domain::ReportingZone zone) {
    constexpr std::int64_t hour_ms = 3'600'000;
    constexpr std::int64_t widest_offset_h = 26;
    TimestampMs at{(day.value * 24 - widest_offset_h) * hour_ms};
    while (domain::day_of(zone.hour(at)) < day)
        at.value += hour_ms;
    return at;
}

}  // namespace

Recount::Recount(eventlog::EventLog& log, Scope scope, RecountOptions options)
    : log_(log), scope_(scope), options_(std::move(options)) {}

Recount::~Recount() = default;

bool Recount::has_bids() const {
    return !tools_.catalogue.empty();
}

Result<eventlog::TopicInfo> Recount::topic() const {
    return log_.topic(options_.topic);
}

std::optional<TimestampMs> Recount::needs_from() {
    if (!scope_.day)
        return std::nullopt;
    return TimestampMs{begin_of_day(*scope_.day, options_.zone).value - domain::limits::future_ms -
                       processor::remembered(options_.dedup_window).count()};
}

Status Recount::open(std::span<const std::optional<Offset>> bases) {
    ADTALLY_TRY(const auto info, log_.topic(options_.topic));
    ADTALLY_ASSERT(bases.size() == static_cast<std::size_t>(info.partitions));
    ADTALLY_TRY(reader_, log_.reader(options_.topic));
    // Reads all of them: it is its first reading.
    processor::CatalogueReader bids(log_, options_.catalogue_topic, tools_.catalogue);
    ADTALLY_TRY(bids.read_new());
    const processor::HashKey key = processor::random_hash_key();
    for (Partition at{0}; at.value < info.partitions; ++at.value) {
        const auto base = bases[static_cast<std::size_t>(at.value)];
        const bool holds_ad =
            !scope_.ad || eventlog::partition_of(std::to_string(*scope_.ad), info.partitions) == at;
        Place place{processor::PartitionState{at, processor::Aggregator{options_.zone},
                                              processor::Deduplicator{options_.dedup_window, key}},
                    base.has_value() && holds_ad};
        if (place.wanted) {
            ADTALLY_TRY(const auto begin, begin_of(at, *base));
            place.state.reset_to(begin, begin, false);
        }
        places_.push_back(std::move(place));
    }
    return ok();
}

Result<Offset> Recount::begin_of(Partition partition, Offset base) {
    ADTALLY_TRY(const auto ends, reader_->watermarks(partition));
    const auto needed = needs_from();
    if (!needed) {
        if (ends.begin <= base)
            return base;
        return Error{ErrorCode::conflict,
                     fmt::format("retention has removed counted records of {}/{} ({} to {}): "
                                 "totals cannot be counted again, a recent day can: --day",
                                 options_.topic, partition.value, base.value, ends.begin.value)};
    }
    ADTALLY_TRY(const auto begin, reader_->offset_at(partition, *needed));
    if (begin > ends.begin || ends.begin <= base || ends.begin == ends.end)
        return std::max(begin, base);
    // The first offsets may be without records.
    ADTALLY_TRY(reader_->read(partition, ends.begin, ends.end, batch_));
    if (batch_.records.empty())
        return std::max(ends.end, base);
    return Error{ErrorCode::conflict,
                 fmt::format("{}/{} begins at {}, but the day needs it from {} on: retention has "
                             "removed records of it; choose a later --day",
                             options_.topic, partition.value,
                             text_of(batch_.records.front().appended_at), text_of(*needed))};
}

Status Recount::advance_to(std::span<const Offset> ends, const Between& between) {
    ADTALLY_ASSERT(ends.size() == places_.size());
    wanted_ = records_;
    for (std::size_t i = 0; i < places_.size(); ++i)
        if (places_[i].wanted)
            wanted_ += std::max<std::int64_t>(0, ends[i].value - places_[i].state.next().value);
    for (std::size_t i = 0; i < places_.size(); ++i) {
        if (places_[i].wanted) {
            ADTALLY_TRY(read(places_[i], ends[i], between));
        }
    }
    return ok();
}

Status Recount::read(Place& place, Offset end, const Between& between) {
    processor::PartitionState& state = place.state;
    while (state.next() < end) {
        ADTALLY_TRY(between());
        ADTALLY_TRY(reader_->read(state.partition(), state.next(), end, batch_));
        if (batch_.records.empty())
            state.pass_over(end);
        for (const eventlog::FetchedRecord& record : batch_.records) {
            if (state.process(record, tools_) == processor::PartitionState::Step::done)
                continue;
            // It reads a day of the log: no shorter than any other stretch.
            ADTALLY_TRY(processor::restore_history(state, *reader_, tools_,
                                                   [&between] { return !between(); }));
            ADTALLY_TRY(between());
            (void)state.process(record, tools_);
        }
        records_ += static_cast<std::int64_t>(batch_.records.size());
        if (state.pending_events() >= merge_after)
            take(state);
        if (options_.on_progress)
            options_.on_progress(records_, wanted_);
    }
    if (state.pending())
        take(state);
    return ok();
}

void Recount::take(processor::PartitionState& state) {
    const processor::Deltas& deltas = *state.flush().deltas;
    const auto in_scope = [this](std::int64_t ad) { return !scope_.ad || ad == *scope_.ad; };
    if (!scope_.day) {
        for (const auto& ad : deltas.ads)
            if (in_scope(ad.id))
                totals_.ads[ad.id].merge(ad.delta);
        for (const auto& campaign : deltas.campaigns)
            if (!scope_.ad)
                totals_.campaigns[campaign.id].merge(campaign.delta);
    }
    for (const auto& hour : deltas.hours)
        if (in_scope(hour.ad) && (!scope_.day || domain::day_of(hour.hour) == *scope_.day))
            totals_.hours[{hour.ad, hour.hour}].merge(hour.delta);
    for (const auto& day : deltas.days)
        if (in_scope(day.ad) && (!scope_.day || day.day == *scope_.day))
            totals_.days[{day.ad, day.day}].merge(day.delta);
    state.mark_flushed();
}

}  // namespace adtally::rebuild
