// What the collector may do and how much of it: every limit has a policy, named here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "domain/codec.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::collector {

struct CollectorOptions {
    std::string topic = "ad-events";
    std::size_t max_batch_events = 5'000;          // past it: 413, nothing is taken
    std::size_t max_batch_bytes = 4u << 20;        // likewise
    std::size_t max_parameters = 64;               // of a query or form: past it 400
    std::uint64_t max_events_in_flight = 200'000;  // past it: 503 + Retry-After
    Milliseconds ack_deadline{10'000};             // past it: 503; the event may still be counted
    Milliseconds click_redirect_deadline{50};      // past it: the redirect goes out unacknowledged
    Milliseconds realtime_flush{250};
    domain::UnknownFields unknown_fields = domain::UnknownFields::reject;

    // Click targets: "host" (default port of its scheme) or "host:port", compared exactly. With no
    // hosts and no secret every target is refused.
    std::vector<std::string> redirect_hosts{};
    std::string click_secret{};  // HMAC-SHA256 key of signed targets; empty: none accepted
    std::string click_id_parameter = "cid";  // added to the target's query; empty: nothing is added

    // Origins that browsers may send from. "*": each origin is echoed, because a literal * is not
    // valid together with credentials, and sendBeacon always sends those.
    std::vector<std::string> cors_origins{"*"};

    std::vector<std::string> postback_tokens{};  // empty: postbacks need no token

    // Decoders and id generators: one for each I/O thread and none waits for another.
    std::size_t lanes = 8;

    // Of every record, for whoever reads the log with other tools.
    std::vector<eventlog::Header> record_headers{};
};

}  // namespace adtally::collector
