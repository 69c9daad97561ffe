#include "pipeline/collector/books.hpp"

#include <algorithm>

namespace adtally::collector {
namespace {

// The validation's codes and the collector's own; the last one takes every other.
constexpr std::array<std::string_view, 15> rejection_codes{
    "malformed_json", "missing_field",  "wrong_type",      "out_of_range",     "too_long",
    "invalid_value",  "unknown_field",  "duplicate_field", "future_timestamp", "malformed_query",
    "missing_target", "target_refused", "empty_batch",     "event_too_large",  "other"};

std::uint64_t whole(const observability::Counter& counter) {
    return static_cast<std::uint64_t>(counter.value());
}

template <class Counters>
std::uint64_t sum(const Counters& counters) {
    std::uint64_t total = 0;
    for (const observability::Counter* counter : counters)
        total += whole(*counter);
    return total;
}

}  // namespace

std::string_view to_string(Refusal reason) {
    switch (reason) {
        case Refusal::in_flight_limit:
            return "in_flight_limit";
        case Refusal::stopping:
            return "stopping";
        case Refusal::log_overloaded:
            return "log_overloaded";
        case Refusal::log_storage_full:
            return "log_storage_full";
        case Refusal::log_unavailable:
            return "log_unavailable";
        case Refusal::log_timed_out:
            return "log_timed_out";
        case Refusal::log_failed:
            return "log_failed";
        case Refusal::too_large:
            return "too_large";
        case Refusal::unsupported_media_type:
            return "unsupported_media_type";
        case Refusal::unauthorized:
            return "unauthorized";
    }
    return "log_failed";
}

std::string_view to_string(UnacknowledgedClick reason) {
    switch (reason) {
        case UnacknowledgedClick::late:
            return "late";
        case UnacknowledgedClick::log_failed:
            return "log_failed";
        case UnacknowledgedClick::in_flight_limit:
            return "in_flight_limit";
        case UnacknowledgedClick::stopping:
            return "stopping";
    }
    return "log_failed";
}

Books::Books(observability::MetricRegistry& metrics)
    : appended_(metrics.counter("adtally_collector_events_appended_total",
                                "Events that the event log made durable")),
      late_(metrics.counter("adtally_collector_events_late_total",
                            "Events made durable after their request had been answered")),
      failed_(metrics.counter("adtally_collector_events_failed_total",
                              "Events whose append the event log reported as failed")),
      batches_(metrics.counter("adtally_collector_batches_total", "Batch requests appended")),
      batch_events_(metrics.counter("adtally_collector_batch_events_total",
                                    "Events that came in batch requests")) {
    for (domain::EventType type : event_types) {
        accepted_[static_cast<std::size_t>(type)] = &metrics.counter(
            "adtally_collector_events_accepted_total", "Events acknowledged to clients as durable",
            {{"type", std::string(domain::to_string(type))}});
    }
    for (std::size_t i = 0; i < rejection_codes.size(); ++i) {
        rejected_[i] = {rejection_codes[i],
                        &metrics.counter("adtally_collector_events_rejected_total",
                                         "Invalid events, by the rule they break",
                                         {{"code", std::string(rejection_codes[i])}})};
    }
    for (std::size_t i = 0; i < refusal_count; ++i) {
        refused_[i] = &metrics.counter(
            "adtally_collector_requests_refused_total", "Requests turned away, by reason",
            {{"reason", std::string(to_string(static_cast<Refusal>(i)))}});
    }
    for (std::size_t i = 0; i < unacknowledged_click_count; ++i) {
        clicks_unacknowledged_[i] = &metrics.counter(
            "adtally_collector_clicks_unacknowledged_total",
            "Clicks redirected before their event was durable",
            {{"reason", std::string(to_string(static_cast<UnacknowledgedClick>(i)))}});
    }
}

void Books::accepted(const EventCounts& counts) {
    appended_.add(static_cast<double>(counts.total()));
    for (domain::EventType type : event_types) {
        if (counts.of(type) > 0)
            accepted_[static_cast<std::size_t>(type)]->add(counts.of(type));
    }
}

void Books::late(const EventCounts& counts) {
    appended_.add(static_cast<double>(counts.total()));
    late_.add(static_cast<double>(counts.total()));
}

void Books::failed(std::uint64_t events) {
    failed_.add(static_cast<double>(events));
}

void Books::rejected(std::string_view code) {
    auto known = std::find_if(rejected_.begin(), rejected_.end() - 1,
                              [&](const Rejected& entry) { return entry.code == code; });
    known->counter->add(1);
}

void Books::refused(Refusal reason) {
    refused_[static_cast<std::size_t>(reason)]->add(1);
}

void Books::click_unacknowledged(UnacknowledgedClick reason) {
    clicks_unacknowledged_[static_cast<std::size_t>(reason)]->add(1);
}

void Books::batch(std::size_t events) {
    batches_.add(1);
    batch_events_.add(static_cast<double>(events));
}

CollectorBooks Books::snapshot() const {
    CollectorBooks books;
    // Read from the effect to its cause, so that what was accepted meanwhile has been appended.
    books.accepted = sum(accepted_);
    books.late = whole(late_);
    books.appended = whole(appended_);
    books.failed = whole(failed_);
    for (const Rejected& entry : rejected_)
        books.rejected += whole(*entry.counter);
    books.refused = sum(refused_);
    books.clicks_unacknowledged = sum(clicks_unacknowledged_);
    return books;
}

}  // namespace adtally::collector
