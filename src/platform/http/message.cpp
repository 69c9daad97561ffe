// Words of HTTP and the one way in which this project tells an error (RFC 9457).
//
// Whatever a client sent may stand in a problem: it is made valid UTF-8 and cut, so that the
// document stays readable.
#include "platform/http/message.hpp"

#include <charconv>
#include <chrono>
#include <ctime>

#include "platform/http/ascii.hpp"
#include "platform/observability/utf8.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t max_text = 1024;

std::string timestamp_now() {
    using namespace std::chrono;
    auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    std::time_t seconds = now / 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[32];
    std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    auto millis = static_cast<unsigned>(now % 1000);
    text[length] = '.';
    text[length + 1] = static_cast<char>('0' + millis / 100);
    text[length + 2] = static_cast<char>('0' + millis / 10 % 10);
    text[length + 3] = static_cast<char>('0' + millis % 10);
    text[length + 4] = 'Z';
    return std::string(text, length + 5);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    out += ",\"";
    out += name;
    out += "\":";
    observability::append_json_string(out, value, max_text);
}

}  // namespace

std::string_view to_string(Method method) {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::head:
            return "HEAD";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::delete_:
            return "DELETE";
        case Method::options:
            return "OPTIONS";
        case Method::other:
            return "UNKNOWN";
    }
    return "UNKNOWN";
}

std::optional<std::string_view> Request::header(std::string_view name) const {
    for (const HeaderField& field : headers) {
        if (iequals(field.name, name))
            return field.value;
    }
    return std::nullopt;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        // clang-format off
        case 100: return "Continue";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
            // clang-format on
    }
    return "Unknown";
}

// A deadline that passed, a full disk and a failed check are 503 like any other outage: the caller
// keeps its event ids and comes again.
int status_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return 400;
        case ErrorCode::not_found:
            return 404;
        case ErrorCode::conflict:
            return 409;
        case ErrorCode::too_large:
            return 413;
        case ErrorCode::overloaded:
        case ErrorCode::unavailable:
        case ErrorCode::timed_out:
        case ErrorCode::storage_full:
        case ErrorCode::corrupt:
            return 503;
        case ErrorCode::internal:
            return 500;
    }
    return 500;
}

Response problem(const Request& request, const Problem& problem) {
    std::string body = R"({"type":"about:blank","title":)";
    observability::append_json_string(body, reason_phrase(problem.status), max_text);
    body += ",\"status\":";
    body += std::to_string(problem.status);
    append_member(body, "detail", problem.detail);
    if (!request.path.empty()) {
        append_member(body, "instance", request.path);
        append_member(body, "path", request.path);
    }
    append_member(body, "timestamp", timestamp_now());
    append_member(body, "error", reason_phrase(problem.status));
    append_member(body, "code", problem.code);
    if (!request.trace_id.empty())
        append_member(body, "traceId", request.trace_id);
    if (!problem.pointer.empty()) {
        body += R"(,"errors":[{"detail":)";
        observability::append_json_string(body, problem.detail, max_text);
        append_member(body, "pointer", problem.pointer);
        body += "}]";
    }
    body += '}';

    Response response;
    response.status = problem.status;
    response.content_type = "application/problem+json";
    response.body = std::move(body);
    if (problem.status == 503 || problem.status == 429)
        response.headers.emplace_back("Retry-After", "1");
    return response;
}

Response problem(const Request& request, const Error& error) {
    // What went wrong inside is for the log, not for the caller.
    bool ours = error.code == ErrorCode::internal;
    return problem(request, Problem{.status = status_of(error.code),
                                    .code = std::string(to_string(error.code)),
                                    .detail = ours ? "internal error" : error.message,
                                    .pointer = {}});
}

Response json(int status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = "application/json";
    response.body = std::move(body);
    return response;
}

}  // namespace adtally::http
