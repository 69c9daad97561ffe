// The requests' bytes, made so that making them costs next to nothing: a pool of event texts, whose
// id, time and session are overwritten in place.
//
// Every event has an id of its own: a random number of the run and a counter. A session has eight
// events. 97 % impressions, 2.9 % clicks, 0.1 % conversions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace adtally::load {

enum class Distribution : std::uint8_t { zipf, uniform };

struct RequestOptions {
    std::string host;  // of the Host header
    std::string path;
    std::size_t batch = 1;  // events a request; 1: one JSON object, more: NDJSON
    std::size_t ads = 1'000;
    Distribution distribution = Distribution::zipf;  // exponent 1
    std::uint64_t seed = 0;                          // of types and ads
    std::uint32_t run = 0;  // part of every id; a second run with the same one sends duplicates
};

class Requests {
public:
    explicit Requests(const RequestOptions& options);

    // Replaces `into` by the next request, head and body.
    void next(TimestampMs now, std::string& into);
    std::uint64_t events_made() const { return made_; }
    // Bytes of head and body of a typical request.
    std::size_t typical_size() const;

private:
    void append_event(TimestampMs now, std::string& into);

    std::string head_;  // up to the length
    std::size_t batch_;
    std::vector<std::string> pool_;
    std::uint64_t made_ = 0;
    std::int64_t time_ms_ = -1;
    std::string time_text_;
    std::string body_;
};

}  // namespace adtally::load
