// Starts a redis-server of our own, keeps it alive, and stops it last.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis {

struct SupervisorOptions {
    std::filesystem::path directory;  // of its append-only file; made if absent
    std::uint16_t port = 6379;
    std::string executable = "redis-server";  // looked up in PATH
    Milliseconds start_timeout{30'000};       // until it answers PING, loading included
    Milliseconds stop_timeout{10'000};        // after SIGTERM, then SIGKILL
    Milliseconds restart_backoff_min{100};
    Milliseconds restart_backoff_max{5'000};
};

struct SupervisorHealth {
    bool up = false;
    std::string reason;
    std::int64_t pid = 0;
    std::uint64_t restarts = 0;
};

// Bound to 127.0.0.1, AOF on (appendfsync everysec, aof-load-truncated yes), noeviction, no RDB
// snapshots. The child is in its own process group (Ctrl-C reaches us first) and dies with us
// (PR_SET_PDEATHSIG).
class Supervisor {
public:
    // Starts it and waits until it answers. Throws std::runtime_error with one line and the remedy:
    // not installed, port in use, or its own last words.
    explicit Supervisor(SupervisorOptions options);
    ~Supervisor();  // stop()

    Endpoint endpoint() const;
    SupervisorHealth health() const;
    void stop();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::redis
