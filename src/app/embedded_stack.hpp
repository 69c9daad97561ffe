// What services stand on when there is nothing but this machine: a log in RocksDB, a Redis of our
// own (or one that exists).
#pragma once

#include <memory>
#include <optional>

#include "app/data_directory.hpp"
#include "app/launch_options.hpp"
#include "base/crash_points.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/observability/health.hpp"
#include "platform/redis/supervisor.hpp"

namespace adtally::app {

class EmbeddedStack {
public:
    // Throws std::runtime_error with one line and the remedy.
    EmbeddedStack(const config::Settings& settings, const LaunchOptions& launch, const Clock& clock,
                  CrashPoints& crash_points);
    ~EmbeddedStack();

    eventlog::EventLog& log() { return *log_; }
    // After the services have stopped, before they end: what is pending is made durable and told.
    void close_log() { log_->close(); }
    redis::ClientOptions redis() const { return redis_; }
    // Of the Redis that we supervise; up when it is somebody else's.
    observability::ComponentHealth redis_health() const;

private:
    DataDirectory directory_;
    std::unique_ptr<redis::Supervisor> supervisor_;  // ends after the log, before the lock
    redis::ClientOptions redis_;
    std::unique_ptr<eventlog::EventLog> log_;
};

}  // namespace adtally::app
