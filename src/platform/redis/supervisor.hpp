// Starts a redis-server of our own, keeps it alive, and stops it last.
//
// Design. One thread, "redis-super", starts the child (which dies with that thread, see
// child_process.hpp), waits until it answers, watches it through a pidfd and a PING a second, and
// starts it again with exponential back-off when it ends. Once it has answered, a child that is
// alive is never killed before stop(): one that loads, or does not answer, is reported by health()
// and waited for. No process is ever signalled but that child.
//
// Threads: endpoint(), health() and stop() may be called from any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis {

struct SupervisorOptions {
    std::filesystem::path directory;  // of its append-only file; made if absent
    std::uint16_t port = 6379;
    std::string executable = "redis-server";  // looked up in PATH
    Milliseconds start_timeout{30'000};       // until it answers PING; loading extends it
    Milliseconds stop_timeout{10'000};        // after SIGTERM, then SIGKILL
    Milliseconds restart_backoff_min{100};
    Milliseconds restart_backoff_max{5'000};
    Milliseconds backoff_reset_after{60'000};  // of health
    Milliseconds ping_interval{1'000};
    // The lock of the directory's owner: the server keeps it open, so that whoever comes after a
    // killed owner waits until the server has ended too. -1: none.
    int lock_descriptor = -1;
    // How long an earlier redis-server of the same directory may still hold the port.
    Milliseconds port_timeout{10'000};
    // Asked again and again while the first start's child loads, which a large file can make long,
    // or keeps its port waiting; true gives up. On the supervisor's thread; must not throw. Empty:
    // never.
    std::function<bool()> abandon;
    // Called on the supervisor's thread; must neither throw nor call the supervisor. Events:
    // redis_started, redis_loading (once a start), redis_ready, redis_ended, redis_start_failed,
    // redis_not_answering, redis_waiting_for_port, redis_torn_tail, redis_killed, redis_stopped.
    std::function<void(std::string_view event, std::string_view detail)> on_event;
};

struct SupervisorHealth {
    bool up = false;
    std::string reason;  // why not up
    std::int64_t pid = 0;
    std::uint64_t restarts = 0;
};

// What the constructor throws when `abandon` said so: no failure.
class StartAbandoned : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
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
    // SIGTERM, which writes out the append-only file, and waits. Again: no effect.
    void stop();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::redis
