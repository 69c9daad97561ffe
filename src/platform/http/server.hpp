// The HTTP/1.1 server of every service.
//
// Promise. Every request that was read whole gets exactly one answer; every malformed one gets its
// error and the connection is closed; nothing a client does makes the process grow without bound.
// See README.md in this folder for the limits, the framing checks and the order of shutdown.
//
// Threads. `io_threads` loops; a connection lives on one of them. Handlers run there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "platform/http/router.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::http {

struct ServerOptions {
    std::string service;      // for logs and metrics: "data-collector"
    std::string thread_name;  // ≤ 11 characters, shown by top -H: "col-io"
    std::string bind = "0.0.0.0";
    std::uint16_t port = 0;  // 0: the system chooses
    int io_threads = 1;
    std::size_t max_body_bytes = 4u << 20;
    std::size_t max_header_bytes = 16u << 10;
    std::size_t max_headers = 100;
    std::size_t max_connections = 10'000;
    std::size_t max_connections_per_ip = 0;       // 0: no limit of its own
    std::size_t max_requests_in_flight = 20'000;  // read whole and not yet answered
    Milliseconds header_timeout{10'000};          // absolute, from the first byte of a request
    Milliseconds body_timeout{30'000};            // absolute, from the end of the header
    Milliseconds idle_timeout{75'000};            // between requests
    Milliseconds write_timeout{30'000};           // absolute, for one answer
    double rate_limit_per_ip = 0;                 // requests a second; 0: none. Token bucket
    double rate_limit_burst = 0;
    std::vector<std::string> trusted_proxies;  // CIDRs whose X-Forwarded-For is believed
    // Called for every answer before it is sent, also for errors: CORS and the like.
    std::function<void(const Request&, Response&)> decorate;
};

class Server {
public:
    // Binds and listens; throws std::runtime_error with one line and the remedy when it cannot.
    Server(ServerOptions options, Router router, observability::MetricRegistry& metrics);
    ~Server();  // stops at once if stop() was not called

    void start();
    std::uint16_t port() const;
    // Graceful: stops accepting, closes idle connections, answers what was read, until `deadline`,
    // then closes the rest. Blocks. Afterwards no handler runs and none will.
    void stop(Deadline deadline);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::http
