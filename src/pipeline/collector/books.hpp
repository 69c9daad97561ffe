// What became of every event that reached the collector, counted once.
//
// Promise. Each event that was read ends in exactly one of: appended, failed, rejected, refused
// before the log saw it, or is in flight. Of those appended, each is either accepted (its client
// was told so) or late (the answer had already gone out). The sums are the metrics themselves:
// there is no second set of numbers that could disagree.
//
// Threads. Any.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "pipeline/collector/event_counts.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::collector {

// Why a request was turned away though nothing is wrong with its events.
enum class Refusal : std::uint8_t {
    in_flight_limit,
    stopping,
    log_overloaded,
    log_storage_full,
    log_unavailable,
    log_timed_out,
    log_failed,
    too_large,
    unsupported_media_type,
    unauthorized,
};
inline constexpr std::size_t refusal_count = 10;

std::string_view to_string(Refusal reason);

// Why a click's redirect went out before its event was durable.
enum class UnacknowledgedClick : std::uint8_t { late, log_failed, in_flight_limit, stopping };
inline constexpr std::size_t unacknowledged_click_count = 4;

std::string_view to_string(UnacknowledgedClick reason);

struct CollectorBooks {
    std::uint64_t accepted = 0;  // acknowledged to clients as durable
    std::uint64_t appended = 0;  // durable in the log: accepted + late
    std::uint64_t late = 0;      // durable, but the client had been answered otherwise by then
    std::uint64_t failed = 0;    // given to the log, which reported an error
    std::uint64_t rejected = 0;  // invalid
    std::uint64_t refused = 0;   // requests turned away, not events: a body may not have been read
    std::uint64_t clicks_unacknowledged = 0;
    std::uint64_t in_flight = 0;
};

class Books {
public:
    explicit Books(observability::MetricRegistry& metrics);

    void accepted(const EventCounts& counts);
    void late(const EventCounts& counts);
    void failed(std::uint64_t events);
    // `code` is a Rejection's; events whose code is none of the known ones count under "other".
    void rejected(std::string_view code);
    void refused(Refusal reason);
    void click_unacknowledged(UnacknowledgedClick reason);
    void batch(std::size_t events);

    CollectorBooks snapshot() const;  // in_flight is left 0

private:
    struct Rejected {
        std::string_view code;
        observability::Counter* counter;
    };

    std::array<observability::Counter*, event_types.size()> accepted_{};
    observability::Counter& appended_;
    observability::Counter& late_;
    observability::Counter& failed_;
    observability::Counter& batches_;
    observability::Counter& batch_events_;
    std::array<Rejected, 15> rejected_{};
    std::array<observability::Counter*, refusal_count> refused_{};
    std::array<observability::Counter*, unacknowledged_click_count> clicks_unacknowledged_{};
};

}  // namespace adtally::collector
