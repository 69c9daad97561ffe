// What a processor is told at start, and the thresholds that may change while it runs.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/clock.hpp"

namespace adtally::processor {

struct Options {
    std::string topic = "ad-events";
    std::string dead_letter_topic = "ad-events-dlt";
    std::string metrics_topic = "ad-metrics";
    std::string catalogue_topic = "ad-catalog";
    std::string reporting_zone = "UTC";
    Milliseconds flush_interval{20};       // from start to start
    Milliseconds flush_interval_max{250};  // between two; under load a quarter of what one takes
    std::size_t flush_events = 50'000;
    std::size_t flush_keys = 5'000;  // (ad, campaign, 10 s) cells: a script's length
    std::size_t poll_records = 5'000;
    Milliseconds dedup_window{10 * 60 * 1000};  // of log time
    Milliseconds verify_interval{500};          // how often an idle processor re-reads Redis
    Milliseconds backoff_min{20};               // after a failed flush
    Milliseconds backoff_max{1'000};
    Milliseconds dead_letter_deadline{10'000};
    Milliseconds restore_slice{250};     // reading for a partition's memory, between two rounds
    Milliseconds look_interval{1'000};   // one partition that is quiet: does anything wait there?
    Milliseconds stalled_after{15'000};  // something does, and none of it has come
};

// When an anomaly opens and closes. Ratios in millionths, so that Redis compares integers.
struct Thresholds {
    std::int64_t ctr_open_millionths = 100'000;  // > 10 %
    std::int64_t ctr_close_millionths = 80'000;  // < 8 %
    std::int64_t ctr_min_impressions = 100;
    std::int64_t session_clicks = 10;  // > 10 clicks in one session
};

// The sliding window of the CTR rule: 30 buckets of 10 s of event time.
inline constexpr std::int64_t ctr_bucket_ms = 10'000;
inline constexpr std::int64_t ctr_window_buckets = 30;

// Thresholds are live configuration: read before each flush, replaced by a reload. Any thread.
class LiveThresholds {
public:
    explicit LiveThresholds(Thresholds initial) : current_(initial) {}
    Thresholds get() const {
        std::lock_guard lock(mutex_);
        return current_;
    }
    void set(Thresholds next) {
        std::lock_guard lock(mutex_);
        current_ = next;
    }

private:
    mutable std::mutex mutex_;
    Thresholds current_;
};

}  // namespace adtally::processor
