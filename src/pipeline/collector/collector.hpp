// The Data Collector: events in over HTTP, durable in the log, and only then acknowledged.
//
// Problem. Whoever sends an event and is answered 2xx must be able to forget it. So an answer waits
// for the log, thousands of them at once, while clients come faster than the disk, stay away, send
// nonsense, or follow a link and must not be kept waiting.
//
// Design. A handler runs on an I/O thread and does everything up to the append: admit, decode,
// complete (id, times, user agent, address), encode straight into the batch. The answer is prepared
// then and put aside (pending_answers.hpp); the log's completion sends it. The files are the steps:
//     admission → lanes (decoder, ids) → submission → pending_answers → books, realtime
// and receive_json.cpp, receive_links.cpp hold the endpoints, routes.cpp their list.
//
// Promise. 2xx means durable. Everything else is said at once or by the ack deadline. A redirect is
// no 2xx: it waits for durability no longer than 50 ms, because a person stands before it; clicks
// that were not acknowledged by then are counted as such.
//
// Threads. Handlers on any; completions on the log's; two of its own (start): deadlines, realtime.
// Stop: drain(), then close the log, then destroy: the log's completions come back to this object.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "pipeline/collector/admission.hpp"
#include "pipeline/collector/books.hpp"
#include "pipeline/collector/click_target.hpp"
#include "pipeline/collector/deadline_thread.hpp"
#include "pipeline/collector/lanes.hpp"
#include "pipeline/collector/options.hpp"
#include "pipeline/collector/parameters.hpp"
#include "pipeline/collector/pending_answers.hpp"
#include "pipeline/collector/postback.hpp"
#include "pipeline/collector/realtime.hpp"
#include "pipeline/collector/submission.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/http/router.hpp"
#include "platform/observability/health.hpp"
#include "platform/observability/log.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::collector {

class Collector {
public:
    // Throws std::runtime_error with one line and the remedy when an option makes no sense.
    Collector(CollectorOptions options, eventlog::Producer& producer, const Clock& clock,
              observability::MetricRegistry& metrics, Realtime& realtime);
    ~Collector();  // asserts that nothing is in flight
    Collector(const Collector&) = delete;

    // All requests that it answers, in one list. The handlers refer to this object.
    std::vector<http::Route> routes();
    // CORS headers for answers below /api/events, also for errors. Any thread.
    void decorate(const http::Request& request, http::Response& response) const;
    // Component "eventLog". The registry must outlive this object.
    void add_health(observability::HealthRegistry& health);
    CollectorBooks snapshot() const;

    // Starts the deadline and the realtime thread.
    void start();
    // Refuses new events, waits for those in flight, stops the threads with a last realtime flush.
    // False when the deadline passed first: the rest is answered when the log closes.
    bool drain(Deadline deadline);
    // Answers what is due. The deadline thread's work, callable by tests with a clock of their own.
    void sweep();

private:
    // The endpoints (receive_json.cpp, receive_links.cpp).
    void receive_event(const http::Request& request, http::Responder responder);
    void receive_batch(const http::Request& request, http::Responder responder);
    void receive_pixel(const http::Request& request, http::Responder responder);
    void receive_click(const http::Request& request, http::Responder responder);
    void receive_postback(const http::Request& request, http::Responder responder);

    // Fills a submission from one event; the reason when it is not valid.
    std::optional<domain::Rejection> prepare_json(const http::Request& request, Submission& into);
    std::optional<domain::Rejection> prepare_parameters(const http::Request& request,
                                                        Parameters& parameters,
                                                        domain::EventType type, Submission& into);
    std::optional<domain::Rejection> read_parameters(std::string_view query,
                                                     Parameters& into) const;
    void decode_batch(const http::Request& request, BatchSubmission& into);
    bool authorized(const http::Request& request, Parameters& parameters) const;

    // Answers itself and returns false when there is no room or no future.
    bool admit(const http::Request& request, http::Responder& responder, std::uint64_t events);
    void submit(const http::Request& request, http::Responder responder, Submission submission,
                http::Response success, Patience patience);
    void completed(PendingAnswers::Slot* slot, const Status& status);
    void succeeded(Waiting& waiting);
    void failed(Waiting& waiting, const Error& error);
    void note_log_state(const Error* error);

    http::Response refuse(const http::Request& request, Refusal reason,
                          std::string detail = {}) const;
    // Counts the rejection, too.
    http::Response reject(const http::Request& request, const domain::Rejection& rejection);

    std::vector<http::Route> preflight_routes() const;
    bool origin_allowed(std::string_view origin) const;

    const CollectorOptions options_;
    eventlog::Producer& producer_;
    const Clock& clock_;
    observability::MetricRegistry& metrics_;
    Realtime& realtime_;
    const ClickTargets click_targets_;
    const PostbackTokens postback_tokens_;
    const Encoder encoder_;
    const bool any_origin_;

    Books books_;
    Admission admission_;
    Lanes lanes_;
    PendingAnswers pending_;
    std::vector<Waiting> due_;  // the sweep's, kept for its memory
    DeadlineThread deadlines_;
    std::atomic<bool> log_failing_{false};
    observability::HealthRegistry* health_ = nullptr;
    observability::Logger log_{"collector"};
};

}  // namespace adtally::collector
