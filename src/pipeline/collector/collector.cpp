#include "pipeline/collector/collector.hpp"

#include <stdexcept>
#include <utility>

#include "base/assert.hpp"
#include "pipeline/collector/answers.hpp"

namespace adtally::collector {
namespace {

const CollectorOptions& checked(const CollectorOptions& options) {
    if (options.max_events_in_flight < options.max_batch_events)
        throw std::runtime_error(
            "the limit of events in flight is below the size of one batch: no full batch could "
            "ever be taken; raise the first or lower the second");
    for (const std::string& token : options.postback_tokens) {
        if (token.empty())
            throw std::runtime_error("an empty postback token would let everyone in; remove it");
    }
    if (!options.click_id_parameter.empty() && !domain::is_event_id(options.click_id_parameter))
        throw std::runtime_error("the click id's parameter '" + options.click_id_parameter +
                                 "' is no plain name; use letters, digits and _, as cid");
    return options;
}

bool holds_any_origin(const CollectorOptions& options) {
    for (const std::string& origin : options.cors_origins) {
        if (origin == "*")
            return true;
    }
    return false;
}

}  // namespace

Collector::Collector(CollectorOptions options, eventlog::Producer& producer, const Clock& clock,
                     observability::MetricRegistry& metrics, Realtime& realtime)
    : options_(checked(options)),
      producer_(producer),
      clock_(clock),
      metrics_(metrics),
      realtime_(realtime),
      click_targets_(options_.redirect_hosts, options_.click_secret),
      postback_tokens_(options_.postback_tokens),
      encoder_(producer.max_record_bytes()),
      any_origin_(holds_any_origin(options_)),
      books_(metrics),
      admission_(options_.max_events_in_flight),
      lanes_(options_.lanes),
      pending_({options_.ack_deadline, options_.click_redirect_deadline}),
      deadlines_(pending_, [this] { sweep(); }) {
    metrics_.gauge(this, "adtally_collector_events_in_flight",
                   "Events that were admitted and are not yet answered for", {},
                   [this] { return static_cast<double>(admission_.in_flight()); });
}

Collector::~Collector() {
    deadlines_.stop();
    metrics_.remove_gauges(this);
    if (health_ != nullptr)
        health_->remove("eventLog");
}

void Collector::add_health(observability::HealthRegistry& health) {
    health_ = &health;
    health.add("eventLog", observability::HealthRegistry::Affects::health_and_readiness, [this] {
        eventlog::LogHealth log = producer_.health();
        observability::ComponentHealth component;
        component.status =
            log.up ? observability::HealthStatus::up : observability::HealthStatus::down;
        component.details = {{"appendsInFlight", std::to_string(log.appends_in_flight)},
                             {"bytesInFlight", std::to_string(log.bytes_in_flight)}};
        for (auto& detail : log.details)
            component.details.push_back(std::move(detail));
        if (!log.reason.empty())
            component.details.emplace_back("error", log.reason);
        return component;
    });
}

CollectorBooks Collector::snapshot() const {
    CollectorBooks books = books_.snapshot();
    books.in_flight = admission_.in_flight();
    return books;
}

void Collector::start() {
    realtime_.start();
    deadlines_.start();
}

bool Collector::drain(Deadline deadline) {
    bool idle = admission_.close_and_wait(deadline);
    deadlines_.stop();
    realtime_.stop();
    if (!idle) {
        log_.warn("stopping with events in flight; they are answered when the event log closes",
                  {{"events", static_cast<std::int64_t>(admission_.in_flight())}});
    }
    return idle;
}

bool Collector::admit(const http::Request& request, http::Responder& responder,
                      std::uint64_t events) {
    switch (admission_.enter(events)) {
        case Admission::Verdict::admitted:
            return true;
        case Admission::Verdict::full:
            books_.refused(Refusal::in_flight_limit);
            responder.send(refuse(request, Refusal::in_flight_limit));
            return false;
        case Admission::Verdict::stopping:
            books_.refused(Refusal::stopping);
            responder.send(refuse(request, Refusal::stopping));
            return false;
    }
    return false;
}

// From add() on the deadline may answer, and what the request's views show may be gone: nothing of
// it is read after that. The completion may come before append() returns.
void Collector::submit(const http::Request& request, http::Responder responder,
                       Submission submission, http::Response success, Patience patience) {
    for (const eventlog::Header& header : options_.record_headers)
        submission.records.add_header(header.name, header.value);
    if (request.header("traceparent"))
        submission.records.add_header("traceparent", std::string(request.traceparent));
    Waiting waiting;
    waiting.responder.emplace(std::move(responder));
    waiting.request = request;
    waiting.success = std::move(success);
    waiting.counts = submission.counts;
    waiting.received_second = submission.received_at.value / 1000;
    waiting.patience = patience;
    SteadyTime now = clock_.steady();
    PendingAnswers::Slot* slot = pending_.add(std::move(waiting), now);
    if (patience == Patience::redirect)
        deadlines_.not_later_than(now + options_.click_redirect_deadline);
    producer_.append(options_.topic, std::move(submission.records),
                     [this, slot](Status status) { completed(slot, status); });
}

void Collector::completed(PendingAnswers::Slot* slot, const Status& status) {
    Waiting waiting = pending_.finish(slot);
    if (status)
        succeeded(waiting);
    else
        failed(waiting, status.error());
    waiting.responder.reset();
    // Last: once nothing is in flight a drain may go on.
    admission_.leave(waiting.counts.total());
}

void Collector::succeeded(Waiting& waiting) {
    note_log_state(nullptr);
    realtime_.count(waiting.counts, waiting.received_second);
    if (!waiting.responder) {
        books_.late(waiting.counts);
        return;
    }
    books_.accepted(waiting.counts);
    waiting.responder->send(std::move(waiting.success));
}

void Collector::failed(Waiting& waiting, const Error& error) {
    note_log_state(&error);
    books_.failed(waiting.counts.total());
    if (!waiting.responder)
        return;
    switch (waiting.patience) {
        case Patience::acknowledge: {
            books_.refused(refusal_of(error.code));
            waiting.responder->send(append_failure(waiting.request, error));
            return;
        }
        case Patience::redirect:
            books_.click_unacknowledged(UnacknowledgedClick::log_failed);
            waiting.responder->send(std::move(waiting.success));
            return;
    }
}

void Collector::sweep() {
    due_.clear();
    pending_.expire(clock_.steady(), due_);
    for (Waiting& waiting : due_) {
        switch (waiting.patience) {
            case Patience::acknowledge:
                books_.refused(Refusal::log_timed_out);
                waiting.responder->send(refuse(waiting.request, Refusal::log_timed_out));
                break;
            case Patience::redirect:
                books_.click_unacknowledged(UnacknowledgedClick::late);
                waiting.responder->send(std::move(waiting.success));
                break;
        }
        waiting.responder.reset();
    }
    due_.clear();
}

// One line when the log begins to refuse and one when it takes events again. That it has enough to
// do (overloaded) or was given too large a record is no failure of the log.
void Collector::note_log_state(const Error* error) {
    if (error == nullptr) {
        if (log_failing_.load(std::memory_order_relaxed) && log_failing_.exchange(false))
            log_.info("the event log takes events again");
        return;
    }
    if (error->code == ErrorCode::overloaded || error->code == ErrorCode::too_large)
        return;
    if (!log_failing_.exchange(true)) {
        log_.error("the event log does not take events; clients are answered 503",
                   {{"code", to_string(error->code)}, {"error", std::string_view(error->message)}});
    }
}

http::Response Collector::refuse(const http::Request& request, Refusal reason,
                                 std::string detail) const {
    return refusal(request, reason, std::move(detail));
}

http::Response Collector::reject(const http::Request& request, const domain::Rejection& rejection) {
    books_.rejected(rejection.code);
    return invalid(request, rejection);
}

}  // namespace adtally::collector
