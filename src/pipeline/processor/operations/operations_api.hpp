// What operators ask of a processor: dead letters, and where an event is. All routes in one list,
// in routes.cpp.
//
// Threads. One worker, so that a long search is in nobody's way but the next one's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/metrics_api/api_workers.hpp"
#include "pipeline/processor/operations/event_trace.hpp"
#include "pipeline/processor/operations/letter_box.hpp"
#include "pipeline/processor/operations/redrive.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/http/router.hpp"
#include "platform/redis/client.hpp"

namespace adtally::operations {

struct OperationsOptions {
    std::string topic = "ad-events";
    std::string dead_letter_topic = "ad-events-dlt";
    Milliseconds dedup_window{};
    Milliseconds search_time{20'000};  // an answer that takes longer says how far it came
};

class OperationsApi {
public:
    OperationsApi(redis::ClientOptions redis, eventlog::EventLog& log, domain::ReportingZone zone,
                  const Clock& clock, OperationsOptions options);

    // The object must outlive the server that gets them.
    std::vector<http::Route> routes();
    void stop() { workers_.stop(); }

private:
    using Ask = std::function<Result<std::string>(redis::Client&)>;

    void answer(const http::Request& request, http::Responder responder, Ask ask);
    void list(const http::Request& request, http::Responder responder);
    void show(const http::Request& request, http::Responder responder);
    void redrive(const http::Request& request, http::Responder responder);
    void trace(const http::Request& request, http::Responder responder);
    Result<std::vector<std::optional<Offset>>> counted_to(redis::Client& client);

    metrics_api::ApiWorkers workers_;
    eventlog::EventLog& log_;
    domain::ReportingZone zone_;
    const Clock& clock_;
    OperationsOptions options_;
};

}  // namespace adtally::operations
