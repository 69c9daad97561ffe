// Counts a log again, in memory: the processor's own decoding, deduplication, pricing and folding,
// without a store.
//
// Problem. Are the counts in Redis what the log says? Only a count from the beginning can tell.
// Design. A PartitionState for each partition reads from the first offset that was ever counted;
// what it folds is merged into totals. advance_to() goes on to later offsets, so that totals can be
// compared with a reading of Redis at exactly the offsets of that reading.
// Limits. What retention has removed cannot be counted again: the whole needs the log from its
// first counted record; a day needs it from a deduplication window and five minutes before the
// day's begin, when the first event of that day can have come. Money of events that carry no cost
// is computed with the bids of now.
// Memory: a total for each ad, campaign, hour and day in scope, and the deduplication windows.
// Threads. One.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "domain/metric_delta.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/partition_state.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::rebuild {

struct Scope {
    std::optional<std::int64_t> ad;       // nothing: every ad, and the campaigns
    std::optional<domain::LocalDay> day;  // nothing: all time; else its hours and the day
};

struct Totals {
    std::map<std::int64_t, domain::MetricDelta> ads;
    std::map<std::int64_t, domain::MetricDelta> campaigns;
    std::map<std::pair<std::int64_t, domain::LocalHour>, domain::MetricDelta> hours;
    std::map<std::pair<std::int64_t, domain::LocalDay>, domain::MetricDelta> days;
};

struct RecountOptions {
    std::string topic = "ad-events";
    std::string catalogue_topic = "ad-catalog";
    Milliseconds dedup_window{};
    domain::ReportingZone zone = domain::ReportingZone::utc();
    // Called now and then: records read, records to read.
    std::function<void(std::int64_t, std::int64_t)> on_progress = {};
};

class Recount {
public:
    Recount(eventlog::EventLog& log, Scope scope, RecountOptions options);
    ~Recount();

    Result<eventlog::TopicInfo> topic() const;
    // From when on the scope needs the log; nothing: from its first counted record.
    std::optional<TimestampMs> needs_from();
    // `bases`: the first offset that was counted of each partition; nothing where none was yet.
    // `conflict` when retention has removed what the scope needs, with what is left.
    Status open(std::span<const std::optional<Offset>> bases);
    // Called between batches; its failure ends the counting.
    using Between = std::function<Status()>;
    // Counts up to `ends`; never back. `conflict` when the log ends before.
    Status advance_to(std::span<const Offset> ends, const Between& between);

    // Where the next record of the partition stands, and which records up to the next advance_to()
    // went to the dead letters when they were processed: those are no events.
    Offset next(Partition partition) const {
        return places_[static_cast<std::size_t>(partition.value)].state.next();
    }
    void recall(Partition partition, const processor::OffsetRanges& dead_lettered) {
        places_[static_cast<std::size_t>(partition.value)].state.recall(dead_lettered);
    }

    const Totals& totals() const { return totals_; }
    const Scope& scope() const { return scope_; }
    domain::LocalHour hour_of(TimestampMs time) { return options_.zone.hour(time); }
    std::int64_t records() const { return records_; }
    // Whether bids are known: then the cost of an event without one may differ from what it was.
    bool has_bids() const;

private:
    struct Place {
        processor::PartitionState state;
        bool wanted;
    };
    Result<Offset> begin_of(Partition partition, Offset base);
    Status read(Place& place, Offset end, const Between& between);
    void take(processor::PartitionState& state);

    eventlog::EventLog& log_;
    const Scope scope_;
    RecountOptions options_;
    processor::Tools tools_;
    std::unique_ptr<eventlog::Reader> reader_;
    std::vector<Place> places_;
    eventlog::FetchedBatch batch_;
    Totals totals_;
    std::int64_t records_ = 0;
    std::int64_t wanted_ = 0;
};

}  // namespace adtally::rebuild
