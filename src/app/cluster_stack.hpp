// What services stand on when each is a process of its own: Apache Kafka and a Redis that exist.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/crash_points.hpp"
#include "platform/config/settings.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/spool/spooling_log.hpp"
#include "platform/observability/health.hpp"
#include "platform/redis/client.hpp"

namespace adtally::app {

class ClusterStack {
public:
    // Where a collector keeps events while Kafka is away.
    struct Spool {
        std::filesystem::path directory;
        const Clock& clock;
        CrashPoints& crash_points;
    };
    // Needs neither of the two to answer. Throws std::runtime_error with one line and the remedy
    // when a setting is wrong, or the spool's directory is in use or damaged.
    explicit ClusterStack(const config::Settings& settings, const Spool* spool = nullptr);
    ~ClusterStack();

    eventlog::EventLog& log() { return *log_; }
    // Null without one.
    const eventlog::SpoolingLog* spool() const { return spool_; }
    // Chosen when the spool's directory was made; empty without one.
    const std::string& spool_id() const { return spool_id_; }
    // After the services have stopped, before they end: what is pending is told.
    void close_log() { log_->close(); }
    redis::ClientOptions redis() const { return redis_; }
    observability::ComponentHealth redis_health() const;

private:
    redis::ClientOptions redis_;
    const eventlog::SpoolingLog* spool_ = nullptr;  // then it is log_
    std::string spool_id_;
    std::unique_ptr<eventlog::EventLog> log_;
};

}  // namespace adtally::app
