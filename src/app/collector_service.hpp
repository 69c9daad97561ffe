// The Data Collector as a service: endpoints, realtime counters, actuator on :8085.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/configuration.hpp"
#include "pipeline/collector/collector.hpp"
#include "pipeline/collector/intake_report.hpp"
#include "pipeline/collector/realtime_redis.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/spool/spooling_log.hpp"
#include "platform/http/server.hpp"
#include "platform/observability/health.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::app {

class CollectorService {
public:
    struct Collaborators {
        Configuration& configuration;
        eventlog::EventLog& log;
        redis::ClientOptions redis;
        const Clock& clock;
        const eventlog::SpoolingLog* spool = nullptr;  // when `log` is one
        std::vector<eventlog::Header> record_headers = {};
        // Under which name, for which spool and in which Redis hash it reports what it took in; the
        // hash empty: not at all.
        std::string name = {};
        std::string spool_id = {};
        std::string intake_key = {};
    };

    // Binds the port; throws std::runtime_error with one line and the remedy.
    CollectorService(const LaunchOptions& launch, Collaborators collaborators);
    ~CollectorService();

    void start();
    // Readiness off, then nothing new is taken, then what was taken is answered. Close the log
    // afterwards, before this object ends, and say so.
    void stop(Deadline deadline);
    // The last report of what was taken in: only now nothing is passed on from the spool any more.
    void log_closed();
    collector::CollectorBooks books() const { return collector_.snapshot(); }
    std::uint16_t port() const { return server_.port(); }

private:
    std::vector<http::Route> routes(Configuration& configuration);
    collector::IntakeSums sums(const eventlog::SpoolingLog* spool) const;

    observability::MetricRegistry metrics_{"data-collector"};
    observability::HealthRegistry health_;
    collector::RedisRealtimeStore realtime_store_;
    collector::Realtime realtime_;
    collector::Collector collector_;
    http::Server server_;
    std::unique_ptr<collector::IntakeReporter> reporter_;
};

}  // namespace adtally::app
