// What services stand on when each is a process of its own: Apache Kafka and a Redis that exist.
#pragma once

#include <memory>

#include "platform/config/settings.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/observability/health.hpp"
#include "platform/redis/client.hpp"

namespace adtally::app {

class ClusterStack {
public:
    // Needs neither of the two to answer. Throws std::runtime_error with one line and the remedy
    // when a setting is wrong.
    explicit ClusterStack(const config::Settings& settings);
    ~ClusterStack();

    eventlog::EventLog& log() { return *log_; }
    // After the services have stopped, before they end: what is pending is told.
    void close_log() { log_->close(); }
    redis::ClientOptions redis() const { return redis_; }
    observability::ComponentHealth redis_health() const;

private:
    redis::ClientOptions redis_;
    std::unique_ptr<eventlog::EventLog> log_;
};

}  // namespace adtally::app
