#include "pipeline/collector/answers.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "pipeline/collector/click_target.hpp"

namespace adtally::collector {
namespace {

// A transparent pixel, 1 × 1.
constexpr std::array<unsigned char, 43> gif{
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0xf0, 0x00, 0x00, 0xff, 0xff,
    0xff, 0x00, 0x00, 0x00, 0x21, 0xf9, 0x04, 0x05, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3b};

// What a refusal says and asks for. An empty retry_after means that trying again cannot help.
struct Wording {
    int status;
    std::string_view detail;
    std::string_view retry_after;
};

Wording wording_of(Refusal reason) {
    switch (reason) {
        case Refusal::in_flight_limit:
            return {503, "too many events are waiting to be made durable; try again", "1"};
        case Refusal::stopping:
            return {503, "the collector is stopping; try again", "1"};
        case Refusal::log_overloaded:
            return {503, "the event log has as much as it can take; try again", "1"};
        case Refusal::log_storage_full:
            return {503, "the disk of the event log is full; try again when there is room", "10"};
        case Refusal::log_unavailable:
            return {503, "the event log is not available; try again", "1"};
        case Refusal::log_timed_out:
            return {503,
                    "the event log did not answer in time; the event may have been accepted: "
                    "repeat it with the same event_id and it is counted once",
                    "1"};
        case Refusal::log_failed:
            return {503, "the event log failed; try again", "1"};
        case Refusal::too_large:
            return {413, "the request is larger than the collector takes; send less at once", ""};
        case Refusal::unsupported_media_type:
            return {415,
                    "this content type is not taken: Content-Type says none of those in "
                    "Accept-Post, such as application/json",
                    ""};
        case Refusal::unauthorized:
            return {401, "a postback needs its token: parameter token, or Authorization: Bearer",
                    ""};
    }
    return {503, "try again", "1"};
}

void set_header(http::Response& response, std::string_view name, std::string_view value) {
    auto same = [&](const auto& header) { return header.first == name; };
    auto found = std::find_if(response.headers.begin(), response.headers.end(), same);
    if (found != response.headers.end())
        found->second = value;
    else
        response.headers.emplace_back(name, value);
}

}  // namespace

http::Response event_accepted(std::string_view event_id) {
    std::string body;
    body.reserve(16 + event_id.size());
    body += R"({"event_id":")";
    body += event_id;
    body += R"("})";
    return http::json(202, std::move(body));
}

http::Response batch_accepted(std::size_t accepted, std::string_view rejected,
                              std::string_view event_ids) {
    std::string body;
    body.reserve(64 + rejected.size() + event_ids.size());
    body += R"({"accepted":)";
    body += std::to_string(accepted);
    body += R"(,"rejected":[)";
    body += rejected;
    body += R"(],"event_ids":[)";
    body += event_ids;
    body += "]}";
    return http::json(202, std::move(body));
}

http::Response postback_accepted(std::string_view event_id) {
    std::string body = R"({"event_id":")";
    body += event_id;
    body += R"(","status":"accepted"})";
    http::Response response = http::json(200, std::move(body));
    response.headers.emplace_back("Cache-Control", "no-store");
    return response;
}

http::Response pixel() {
    http::Response response;
    response.content_type = "image/gif";
    response.body.assign(reinterpret_cast<const char*>(gif.data()), gif.size());
    response.headers = {{"Cache-Control", "no-store"},
                        {"Cross-Origin-Resource-Policy", "cross-origin"},
                        {"Timing-Allow-Origin", "*"}};
    return response;
}

http::Response redirect(std::string_view location) {
    http::Response response;
    response.status = 302;
    response.content_type = "text/html; charset=utf-8";
    response.body = R"(<!doctype html><title>Redirecting</title><a href=")";
    response.body += escape_html(location);
    response.body += R"(">Continue</a>)";
    response.headers = {{"Location", std::string(location)},
                        {"Cache-Control", "no-store"},
                        {"Referrer-Policy", "no-referrer-when-downgrade"}};
    return response;
}

http::Response invalid(const http::Request& request, const domain::Rejection& rejection) {
    http::Problem problem;
    problem.status = rejection.code == "event_too_large" ? 413 : 400;
    problem.code = rejection.code;
    problem.detail = rejection.message;
    if (!rejection.field.empty()) {
        if (!rejection.message.starts_with(rejection.field))
            problem.detail.insert(0, rejection.field + ": ");
        problem.pointer = "/" + rejection.field;
    }
    return http::problem(request, problem);
}

// The list of reasons is an extension member of the problem, in front of its closing brace.
http::Response batch_invalid(const http::Request& request, std::string_view rejected) {
    http::Response response = http::problem(
        request, {400, "no_valid_event", "no event of the batch is valid; see rejected", ""});
    std::string member = R"(,"accepted":0,"rejected":[)";
    member += rejected;
    member += ']';
    response.body.insert(response.body.rfind('}'), member);
    return response;
}

http::Response refusal(const http::Request& request, Refusal reason, std::string detail) {
    Wording wording = wording_of(reason);
    if (detail.empty())
        detail = wording.detail;
    http::Response response = http::problem(
        request, {wording.status, std::string(to_string(reason)), std::move(detail), ""});
    if (!wording.retry_after.empty())
        set_header(response, "Retry-After", wording.retry_after);
    return response;
}

Refusal refusal_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::too_large:
            return Refusal::too_large;
        case ErrorCode::overloaded:
            return Refusal::log_overloaded;
        case ErrorCode::storage_full:
            return Refusal::log_storage_full;
        case ErrorCode::unavailable:
            return Refusal::log_unavailable;
        case ErrorCode::timed_out:
            return Refusal::log_timed_out;
        case ErrorCode::invalid_argument:
        case ErrorCode::not_found:
        case ErrorCode::conflict:
        case ErrorCode::corrupt:
        case ErrorCode::internal:
            return Refusal::log_failed;
    }
    return Refusal::log_failed;
}

// What the log says of itself is for the operator's log; the client learns what to do.
http::Response append_failure(const http::Request& request, const Error& error) {
    return refusal(request, refusal_of(error.code));
}

}  // namespace adtally::collector
