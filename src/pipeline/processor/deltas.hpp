// What one flush adds to the store: absolute keys are the store's business, this is plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/metric_delta.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/offset_ranges.hpp"

namespace adtally::processor {

enum class Entity : std::uint8_t { ad, campaign };

struct EntityDelta {
    std::int64_t id = 0;
    domain::MetricDelta delta;
};

struct HourDelta {
    std::int64_t ad = 0;
    domain::LocalHour hour;
    domain::MetricDelta delta;
    TimestampMs latest{};  // event time of its newest event, to ten seconds
};

struct DayDelta {
    std::int64_t ad = 0;
    domain::LocalDay day;
    domain::MetricDelta delta;
};

// Impressions and clicks of one 10 s bucket of event time, for the CTR rule.
struct WindowDelta {
    Entity entity = Entity::ad;
    std::int64_t id = 0;
    std::int64_t bucket = 0;  // event time / 10 s
    std::int64_t impressions = 0;
    std::int64_t clicks = 0;
};

struct SessionDelta {
    std::string session;
    std::int64_t clicks = 0;
    TimestampMs last_click;  // event time
};

// Each list sorted by its key, each key once; windows of one entity adjacent, buckets ascending.
struct Deltas {
    std::vector<EntityDelta> ads;
    std::vector<EntityDelta> campaigns;
    std::vector<HourDelta> hours;
    std::vector<DayDelta> days;
    std::vector<WindowDelta> windows;
    std::vector<SessionDelta> sessions;
    // Places of records that went to the dead letters: ascending, apart from each other.
    std::vector<OffsetRange> dead_letters;

    void clear() {
        ads.clear();
        campaigns.clear();
        hours.clear();
        days.clear();
        windows.clear();
        sessions.clear();
        dead_letters.clear();
    }
    std::size_t cells() const {
        return ads.size() + campaigns.size() + hours.size() + days.size() + windows.size() +
               sessions.size();
    }
};

// Appends everything but the dead letters, whose places are of one partition.
void append(Deltas& into, const Deltas& from);

// Brings lists that were appended to back in order: sorted, entries of one key added up.
void sort_and_merge(Deltas& deltas);

}  // namespace adtally::processor
