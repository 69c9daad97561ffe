// See server_core.hpp.
#include "platform/http/server_core.hpp"

#include "base/assert.hpp"

namespace adtally::http {

namespace {

constexpr Refusal all_refusals[] = {Refusal::connections, Refusal::connections_per_ip,
                                    Refusal::rate, Refusal::in_flight};

std::string reason_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::connections:
            return "connections";
        case Refusal::connections_per_ip:
            return "connections_per_ip";
        case Refusal::rate:
            return "rate";
        case Refusal::in_flight:
            return "in_flight";
    }
    return "unknown";
}

std::string outcome_of(int status) {
    switch (status / 100) {
        case 1:
            return "INFORMATIONAL";
        case 2:
            return "SUCCESS";
        case 3:
            return "REDIRECTION";
        case 4:
            return "CLIENT_ERROR";
        case 5:
            return "SERVER_ERROR";
    }
    return "UNKNOWN";
}

ParserLimits parser_limits_of(const ServerOptions& options) {
    ParserLimits limits;
    limits.max_header_bytes = options.max_header_bytes;
    limits.max_body_bytes = options.max_body_bytes;
    limits.head.max_fields = options.max_headers;
    return limits;
}

std::unique_ptr<RateLimiter> rate_limiter_of(const ServerOptions& options) {
    if (options.rate_limit_per_ip <= 0)
        return nullptr;
    return std::make_unique<RateLimiter>(
        RateLimit{.per_second = options.rate_limit_per_ip, .burst = options.rate_limit_burst});
}

}  // namespace

bool ConnectionsPerClient::enter(const IpAddress& client) {
    if (max_ == 0)
        return true;
    std::lock_guard lock(mutex_);
    std::size_t& open = open_[limit_key(client)];
    if (open == max_)
        return false;
    ++open;
    return true;
}

void ConnectionsPerClient::leave(const IpAddress& client) {
    if (max_ == 0)
        return;
    std::lock_guard lock(mutex_);
    auto found = open_.find(limit_key(client));
    ADTALLY_ASSERT(found != open_.end());
    if (--found->second == 0)
        open_.erase(found);
}

ServerCore::ServerCore(ServerOptions options_, Router router_,
                       observability::MetricRegistry& metrics_)
    : options(std::move(options_)),
      router(std::move(router_)),
      parser_limits(parser_limits_of(options)),
      proxies(options.trusted_proxies),
      rate(rate_limiter_of(options)),
      metrics(metrics_),
      logger(options.service),
      per_client(options.max_connections_per_ip) {
    for (Refusal refusal : all_refusals) {
        refused_.push_back(&metrics.counter("adtally_http_refused_total",
                                            "Connections and requests turned away by a limit",
                                            {{"reason", reason_of(refusal)}}));
    }
    metrics.gauge(this, "adtally_http_connections", "Open connections", {},
                  [this] { return static_cast<double>(connections.load()); });
    metrics.gauge(this, "adtally_http_requests_in_flight", "Requests read and not yet answered", {},
                  [this] { return static_cast<double>(in_flight.load()); });
}

ServerCore::~ServerCore() {
    metrics.remove_gauges(this);
}

void ServerCore::count_refused(Refusal refusal) {
    refused_[static_cast<std::size_t>(refusal)]->add(1);
}

std::size_t ServerCore::route_slot(const Route& route) const {
    return static_cast<std::size_t>(&route - router.routes().data());
}

observability::Timer& ServerCore::timer(std::size_t slot, Method method, int status) {
    std::string uri = slot == not_found_slot() ? "NOT_FOUND"
                      : slot == unknown_slot() ? "UNKNOWN"
                                               : router.routes()[slot].path;
    return metrics.timer("http_server_requests_seconds", "From a request read whole to its answer",
                         {{"method", std::string(to_string(method))},
                          {"uri", std::move(uri)},
                          {"status", std::to_string(status)},
                          {"outcome", outcome_of(status)},
                          {"exception", "none"},
                          {"error", "none"}});
}

TimerCache::TimerCache(ServerCore& core) : core_(core), slots_(core.unknown_slot() + 1) {}

void TimerCache::observe(std::size_t slot, Method method, int status, double seconds) {
    std::vector<Entry>& entries = slots_[slot];
    for (const Entry& entry : entries) {
        if (entry.status == status && entry.method == method)
            return entry.timer->observe_seconds(seconds);
    }
    observability::Timer& timer = core_.timer(slot, method, status);
    entries.push_back({method, status, &timer});
    timer.observe_seconds(seconds);
}

}  // namespace adtally::http
