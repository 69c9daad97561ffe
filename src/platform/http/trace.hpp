// W3C trace context of a request: the caller's trace, or a new one.
//
// Ids need to be unlike each other, not secret: a small generator per loop, seeded by the system,
// makes one in a few nanoseconds.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace adtally::http {

// xoshiro256++. One thread.
class IdGenerator {
public:
    IdGenerator();  // seeded by the system
    explicit IdGenerator(std::uint64_t seed);
    std::uint64_t next();  // never 0

private:
    std::array<std::uint64_t, 4> state_;
};

class TraceContext {
public:
    // `parent` is the request's traceparent; only version 00, well-formed, is taken.
    void start(std::optional<std::string_view> parent, IdGenerator& ids);
    std::string_view trace_id() const { return {text_.data() + 3, 32}; }
    std::string_view traceparent() const { return {text_.data(), text_.size()}; }

private:
    std::array<char, 55> text_{};  // 00-<trace id>-<span id>-<flags>
};

}  // namespace adtally::http
