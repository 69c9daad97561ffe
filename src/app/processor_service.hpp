// The Data Processor as a service: loop, alerts, metrics API, actuator on :8086.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "base/crash_points.hpp"
#include "pipeline/processor/alerts/alert_service.hpp"
#include "pipeline/processor/metrics_api/metrics_api.hpp"
#include "pipeline/processor/metrics_api/reconciliation.hpp"
#include "pipeline/processor/operations/operations_api.hpp"
#include "pipeline/processor/processor.hpp"
#include "pipeline/processor/redis_sink/redis_store.hpp"
#include "platform/http/server.hpp"
#include "platform/observability/health.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::app {

class ProcessorService {
public:
    struct Collaborators {
        Configuration& configuration;
        eventlog::EventLog& log;
        redis::ClientOptions redis;
        std::function<observability::ComponentHealth()> redis_health;
        metrics_api::ReadIntake intake;
        const Clock& clock;
        CrashPoints& crash_points;
        // This process among those that share the Redis: who delivers alerts is agreed on by it.
        std::string instance;
    };

    // Binds the port; throws std::runtime_error with one line and the remedy.
    ProcessorService(const LaunchOptions& launch, Collaborators collaborators);
    ~ProcessorService();

    void start();
    // Readiness off, requests answered, what was read is flushed.
    void stop(Deadline deadline);
    std::uint16_t port() const { return server_.port(); }

private:
    std::vector<http::Route> routes(Configuration& configuration);
    void add_health(const Collaborators& collaborators);
    observability::ComponentHealth loops_health() const;
    processor::Snapshot sum() const;

    // One loop on a thread of its own, with what only it may use.
    struct Loop {
        Loop(const Collaborators& with, processor::MetricPublisher::Listener listener,
             const processor::LiveThresholds& thresholds, observability::MetricRegistry& metrics);
        redis_sink::RedisStore store;
        processor::MetricPublisher publisher;
        processor::Processor processor;
    };

    observability::MetricRegistry metrics_{"data-processor"};
    observability::HealthRegistry health_;
    processor::LiveThresholds thresholds_;
    metrics_api::EventStreamHub hub_;
    std::vector<std::unique_ptr<Loop>> loops_;  // processor.workers of them
    alerts::AlertService alerts_;
    metrics_api::ApiWorkers workers_;
    metrics_api::MetricsApi api_;
    metrics_api::Reconciler reconciler_;
    operations::OperationsApi operations_;
    http::Server server_;
};

// How what runs with these settings counts: kept in Redis by processors, looked at by `rebuild`.
redis_sink::CountingRules counting_rules(const config::Settings& settings);

// The key under which collectors report what they took in.
std::string intake_key();

// What the log has taken since it began, of all collectors; what cannot be asked counts as none.
std::int64_t records_in(const eventlog::EventLog& log);

}  // namespace adtally::app
