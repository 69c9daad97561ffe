// Every address of the collector, and what browsers must be told about them.
#include <algorithm>
#include <array>
#include <utility>

#include "pipeline/collector/collector.hpp"

namespace adtally::collector {
namespace {

using http::Method;

constexpr std::string_view root = "/api/events";
constexpr std::string_view max_age_seconds = "3600";

// What each address offers, for preflights.
struct Offer {
    std::string_view path;
    std::string_view methods;
};
constexpr std::array offers{
    Offer{"/api/events", "POST, OPTIONS"},
    Offer{"/api/events/batch", "POST, OPTIONS"},
    Offer{"/api/events/pixel.gif", "GET, HEAD, OPTIONS"},
    Offer{"/api/events/click", "GET, HEAD, OPTIONS"},
    Offer{"/api/events/postback", "GET, HEAD, POST, OPTIONS"},
};

bool is_ours(std::string_view path) {
    return path.substr(0, root.size()) == root &&
           (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

std::vector<http::Route> Collector::routes() {
    auto to = [this](void (Collector::*endpoint)(const http::Request&, http::Responder)) {
        return [this, endpoint](const http::Request& request, http::Responder responder) {
            (this->*endpoint)(request, std::move(responder));
        };
    };
    // clang-format off
    std::vector<http::Route> list{
        {Method::post, "/api/events",           "one event as JSON",
         to(&Collector::receive_event)},
        {Method::post, "/api/events/batch",     "up to 5,000 events as a JSON array or NDJSON",
         to(&Collector::receive_batch)},
        {Method::get,  "/api/events/pixel.gif", "an impression by image",
         to(&Collector::receive_pixel)},
        {Method::get,  "/api/events/click",     "a click, redirected to its target",
         to(&Collector::receive_click)},
        {Method::get,  "/api/events/postback",  "a conversion, server to server",
         to(&Collector::receive_postback)},
        {Method::post, "/api/events/postback",  "a conversion, server to server",
         to(&Collector::receive_postback)},
    };
    // clang-format on
    for (http::Route& preflight : preflight_routes())
        list.push_back(std::move(preflight));
    return list;
}

// Whom an answer is for is decorate()'s to say, here as everywhere.
std::vector<http::Route> Collector::preflight_routes() const {
    std::vector<http::Route> list;
    for (const Offer& offer : offers) {
        auto answer = [methods = std::string(offer.methods)](const http::Request&,
                                                             http::Responder responder) {
            http::Response response;
            response.status = 204;
            response.headers = {{"Allow", methods},
                                {"Access-Control-Allow-Methods", methods},
                                {"Access-Control-Allow-Headers", "content-type, traceparent"},
                                {"Access-Control-Max-Age", std::string(max_age_seconds)},
                                {"Vary", "Origin"}};
            responder.send(std::move(response));
        };
        list.push_back({Method::options, std::string(offer.path), "CORS preflight", answer});
    }
    return list;
}

// Nothing here is a secret of the caller's (no cookies, no sessions): an origin that is echoed
// learns only what its own request did. The actuator, on the same port, is left out.
void Collector::decorate(const http::Request& request, http::Response& response) const {
    if (!is_ours(request.path))
        return;
    std::optional<std::string_view> origin = request.header("origin");
    if (!origin || origin->empty() || !origin_allowed(*origin))
        return;
    response.headers.emplace_back("Access-Control-Allow-Origin", *origin);
    response.headers.emplace_back("Access-Control-Allow-Credentials", "true");
    if (request.method != Method::options)
        response.headers.emplace_back("Vary", "Origin");
}

bool Collector::origin_allowed(std::string_view origin) const {
    return any_origin_ || std::find(options_.cors_origins.begin(), options_.cors_origins.end(),
                                    origin) != options_.cors_origins.end();
}

}  // namespace adtally::collector
