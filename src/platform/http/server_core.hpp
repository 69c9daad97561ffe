// What all loops of a server share: its options, routes, limits and metrics.
//
// Threads. Everything here may be used from every loop. A TimerCache belongs to one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "platform/http/client_address.hpp"
#include "platform/http/failure_log.hpp"
#include "platform/http/rate_limiter.hpp"
#include "platform/http/request_parser.hpp"
#include "platform/http/router.hpp"
#include "platform/http/server.hpp"
#include "platform/observability/log.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::http {

// Why a connection or a request was turned away to protect those already taken.
enum class Refusal : std::uint8_t { connections, connections_per_ip, rate, in_flight };

// Connections of each address, so that one client cannot take all.
class ConnectionsPerClient {
public:
    explicit ConnectionsPerClient(std::size_t max) : max_(max) {}  // 0: no limit
    bool enter(const IpAddress& client);
    void leave(const IpAddress& client);

private:
    const std::size_t max_;
    std::mutex mutex_;
    std::unordered_map<IpAddress, std::size_t, IpHash> open_;
};

struct ServerCore {
    ServerCore(ServerOptions options_, Router router_, observability::MetricRegistry& metrics_);
    ~ServerCore();
    ServerCore(const ServerCore&) = delete;

    void count_refused(Refusal refusal);
    std::size_t route_slot(const Route& route) const;
    std::size_t not_found_slot() const { return router.routes().size(); }
    std::size_t unknown_slot() const { return router.routes().size() + 1; }
    // The series of http_server_requests_seconds; slow, so cached by each loop.
    observability::Timer& timer(std::size_t slot, Method method, int status);

    const ServerOptions options;
    const Router router;
    const ParserLimits parser_limits;
    const TrustedProxies proxies;
    const std::unique_ptr<RateLimiter> rate;  // null: no limit
    observability::MetricRegistry& metrics;
    observability::Logger logger;
    FailureLog failures{logger};
    ConnectionsPerClient per_client;
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> refused_connections{0};  // open only to be told so
    std::atomic<std::size_t> in_flight{0};            // read whole, not yet answered

private:
    std::vector<observability::Counter*> refused_;
};

// Finds a series without touching the registry again. A slot has few pairs of method and status.
class TimerCache {
public:
    explicit TimerCache(ServerCore& core);
    void observe(std::size_t slot, Method method, int status, double seconds);

private:
    struct Entry {
        Method method;
        int status;
        observability::Timer* timer;
    };
    ServerCore& core_;
    std::vector<std::vector<Entry>> slots_;
};

}  // namespace adtally::http
