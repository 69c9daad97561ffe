// An HTTP request and its answer, as handlers see them. No socket, no parser, no Asio.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace adtally::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, other };

std::string_view to_string(Method method);

struct HeaderField {
    std::string_view name;
    std::string_view value;
};

// All views stay valid until the request's Responder has been used.
struct Request {
    Method method = Method::other;
    std::string_view target;  // as sent: path and query
    std::string_view path;    // percent-encoded as sent, without the query
    std::string_view query;   // without the question mark
    std::string_view body;
    // Bytes readable after body.end(), so that a parser with look-ahead needs no copy of the body.
    std::size_t body_padding = 0;
    std::span<const HeaderField> headers;
    std::string_view peer_ip;      // of the TCP connection, textual
    std::string_view client_ip;    // the peer, or what a trusted proxy says of it
    std::string_view route;        // the template that matched: /api/metrics/ads/{id}
    std::string_view trace_id;     // 32 hex digits: from traceparent, or new
    std::string_view traceparent;  // W3C, ours as the parent: to pass on
    // Values of the {placeholders} of the route, in order, percent-decoded.
    std::span<const std::string> path_parameters;

    // First field of that name, case-insensitive.
    std::optional<std::string_view> header(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::string content_type;  // empty: none is sent
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    bool close = false;
};

// One parameter of a query or form body, decoded. Absent is not the same as empty.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);
// All, in order; nothing for a malformed percent escape.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text);

// RFC 9457 problem+json; the extensions timestamp, error and path are what callers written for
// Spring Boot read. `code` is a stable machine word such as "field_invalid".
struct Problem {
    int status = 400;
    std::string code;
    std::string detail;
    std::string pointer;  // JSON pointer of the offending member, or empty
};
Response problem(const Request& request, const Problem& problem);
// The one map from our errors to HTTP; 503 and 429 carry Retry-After.
Response problem(const Request& request, const Error& error);
int status_of(ErrorCode code);
std::string_view reason_phrase(int status);

Response json(int status, std::string body);

}  // namespace adtally::http
