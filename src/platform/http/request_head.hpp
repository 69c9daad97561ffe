// The head of a request: request line and fields, checked.
//
// Beast parses; what Beast lets pass and a server must not is refused here: transfer codings other
// than exactly one `chunked` on HTTP/1.1, a length beside a coding, two lengths, a missing or
// second Host, odd targets. Everything in a RequestHead is a view into the block that was parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "platform/http/message.hpp"

namespace adtally::http {

// A request that cannot be taken; the connection is closed after the answer.
struct ParseError {
    int status = 400;
    std::string_view code;  // texts are literals
    std::string_view detail;
};

enum class Expectation : std::uint8_t { none, continue_100, unknown };

struct RequestHead {
    Method method = Method::other;
    std::string_view target;
    std::string_view path;
    std::string_view query;
    std::vector<HeaderField> fields;
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool http11 = false;
    bool keep_alive = false;
    bool encoded = false;  // a Content-Encoding other than identity
    Expectation expectation = Expectation::none;

    void clear();  // keeps the memory of `fields`
};

struct HeadLimits {
    std::size_t max_fields = 100;
    std::size_t max_target_bytes = 8u << 10;
};

// `block` ends with the empty line and has neither bare line feeds nor folded lines.
std::optional<ParseError> parse_head(std::string_view block, const HeadLimits& limits,
                                     RequestHead& into);

// "example.org", "example.org:8085", "[::1]:8085".
bool is_sane_host(std::string_view host);

}  // namespace adtally::http
