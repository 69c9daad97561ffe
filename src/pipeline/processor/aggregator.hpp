// Folds events into the deltas of a flush.
//
// Problem. Every event touches a dozen keys: its ad, its campaign, an hour in two forms, a day, two
// sliding windows. Looking each of them up per event would cost more than all the rest.
// Design. One look-up an event: a cell is (ad, campaign, 10 s of event time). Everything else is a
// roll-up of cells, made once a flush; 10 s buckets nest in hours and days of every time zone in
// use since 2000. MetricDelta's merge is associative and commutative, so the roll-up gives the same
// counts as event by event.
// Threads. One.
#pragma once

#include <cstdint>
#include <memory>

#include "domain/event.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/deltas.hpp"

namespace adtally::processor {

class Aggregator {
public:
    explicit Aggregator(domain::ReportingZone zone);
    ~Aggregator();
    Aggregator(Aggregator&&) noexcept;

    void add(const domain::Event& event, domain::Nanos cost);
    // Cells and sessions held: what the length of a flush grows with.
    std::size_t size() const;
    void clear();
    // Rolls the cells up; keeps them, so that a failed flush can be repeated.
    void roll_up(Deltas& into);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::processor
