// The metrics API on :8086: all its routes in one list, in routes.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "domain/time_bucket.hpp"
#include "pipeline/processor/deltas.hpp"
#include "pipeline/processor/metrics_api/api_workers.hpp"
#include "pipeline/processor/metrics_api/event_stream_hub.hpp"
#include "pipeline/processor/metrics_api/pipeline_status.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/http/router.hpp"

namespace adtally::metrics_api {

class MetricsApi {
public:
    // `intake` is asked on a worker thread.
    MetricsApi(ApiWorkers& workers, EventStreamHub& hub, eventlog::EventLog& log, std::string topic,
               domain::ReportingZone zone, const Clock& clock, ReadIntake intake,
               Milliseconds reconcile_every);

    // The object must outlive the server that gets them.
    std::vector<http::Route> routes();

private:
    using Read = std::function<Result<std::string>(redis::Client&)>;

    void answer(const http::Request& request, http::Responder responder, Read read);
    void entity(const http::Request& request, http::Responder responder, processor::Entity entity);
    void hourly(const http::Request& request, http::Responder responder);
    void daily(const http::Request& request, http::Responder responder);
    void top(const http::Request& request, http::Responder responder);
    void anomalies(const http::Request& request, http::Responder responder);
    void status(const http::Request& request, http::Responder responder);
    domain::LocalDay today() const;

    ApiWorkers& workers_;
    EventStreamHub& hub_;
    eventlog::EventLog& log_;
    std::string topic_;
    domain::ReportingZone zone_;
    const Clock& clock_;
    ReadIntake intake_;
    Milliseconds reconcile_every_;
};

}  // namespace adtally::metrics_api
