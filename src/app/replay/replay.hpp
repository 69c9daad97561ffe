// `adtally replay`: sends recorded advertising logs to a collector, as fast as it acknowledges or
// at a multiple of the pace at which they happened.
//
// Design. Readers turn rows into event JSON; the feed merges and paces them and cuts batches;
// sender threads post the batches and own each one until it is answered. A batch that was refused
// for now (408, 429, 5xx) or whose answer was lost is sent again byte for byte, so its events keep
// their ids and the processor's deduplication makes the retry harmless.
//
// Promise. `accepted` counts events that the collector acknowledged as durable, nothing else.
// Each event of the files ends in exactly one of: accepted, rejected, unacknowledged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::replay {

enum class Format : std::uint8_t { ndjson, ipinyou, openbandit };

std::string_view to_string(Format format);
std::optional<Format> parse_format(std::string_view text);

struct ReplayOptions {
    Format format = Format::ndjson;
    // Regular files. At full speed they are sent one after the other; with a speed they are merged
    // by event time, each in its own order.
    std::vector<std::string> files{};
    // The collector; the batch endpoint's path is added.
    std::string url = "http://127.0.0.1:8085";
    // How many times faster than it happened; 0 is "max": as fast as the collector acknowledges.
    double speed = 0;
    // Moves all event times by one amount so that the latest of all files becomes now, hence none
    // lies in the future.
    bool time_shift_now = false;
    std::size_t batch = 500;        // events per request, 1 … 5,000
    std::size_t connections = 1;    // 1 … 64; the order of the files is kept with 1 only
    bool reverse = false;           // rows of each file from the last to the first; full speed only
    bool allow_rejected = false;    // rejected events do not make the exit code 1
    std::string event_id_prefix{};  // put before ids found in the files; for a run with fresh ids
    Milliseconds request_timeout{30'000};
    Milliseconds give_up_after{600'000};  // without a single acknowledgement in this time
    bool quiet = false;                   // neither progress nor summary
    // Ends the replay early. Absent: SIGINT and SIGTERM end it, while run_replay runs.
    std::optional<std::stop_token> stop{};
};

struct RejectedKind {
    std::uint64_t count = 0;
    std::string example;  // the first one's message
};

struct ReplayResult {
    std::uint64_t events = 0;          // read from the files
    std::uint64_t accepted = 0;        // acknowledged
    std::uint64_t rejected = 0;        // refused by the collector, or rows that are no events
    std::uint64_t unacknowledged = 0;  // the replay ended before their answer
    std::uint64_t retries = 0;         // batches sent again
    std::uint64_t batches = 0;         // acknowledged
    std::map<std::string, RejectedKind> rejected_by_code;
    std::string last_trouble;  // why the latest retry was needed
    double seconds = 0;
};

// Prints to stderr and returns the exit code: 0 when every event was acknowledged and none rejected
// (or --allow-rejected), 1 otherwise, 2 for options that make no sense.
int run_replay(const ReplayOptions& options);

// The same without a terminal: for the demonstration and for tests. Fails when an option is wrong
// or a file cannot be read; what happens to events is in the result.
Result<ReplayResult> replay(const ReplayOptions& options, std::stop_token stop);

}  // namespace adtally::replay
