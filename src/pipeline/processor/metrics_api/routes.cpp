// The metrics API: each handler checks its parameters, asks on a worker thread, renders.
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "domain/validation.hpp"
#include "pipeline/processor/metrics_api/metrics_api.hpp"
#include "pipeline/processor/metrics_api/metrics_reader.hpp"
#include "pipeline/processor/metrics_api/reconciliation.hpp"

namespace adtally::metrics_api {
namespace {

using http::Method;
using http::Request;
using http::Responder;
using processor::Entity;

constexpr std::int64_t most_days = 400;
constexpr std::int64_t most_top = 1'000;
constexpr std::int64_t most_anomalies = 1'000;

Error bad(std::string message) {
    return {ErrorCode::invalid_argument, std::move(message)};
}

Result<std::int64_t> id_of(const Request& request) {
    auto id = domain::parse_decimal(request.path_parameters[0]);
    if (!id || *id < 1)
        return bad("the id in the path must be an integer from 1 to 2^63-1");
    return *id;
}

Result<std::int64_t> limit_of(const Request& request, std::int64_t otherwise, std::int64_t most) {
    auto text = http::query_parameter(request.query, "limit");
    if (!text)
        return otherwise;
    auto limit = domain::parse_decimal(*text);
    if (!limit || *limit < 1 || *limit > most)
        return bad(fmt::format("limit must be an integer from 1 to {}", most));
    return *limit;
}

Result<domain::LocalDay> day_of_parameter(const Request& request, const char* name,
                                          domain::LocalDay otherwise) {
    auto text = http::query_parameter(request.query, name);
    if (!text)
        return otherwise;
    auto day = domain::parse_day(*text);
    if (!day)
        return bad(fmt::format("{} must be a date such as 2024-01-15", name));
    return *day;
}

}  // namespace

MetricsApi::MetricsApi(ApiWorkers& workers, EventStreamHub& hub, eventlog::EventLog& log,
                       std::string topic, domain::ReportingZone zone, const Clock& clock,
                       ReadIntake intake, Milliseconds reconcile_every)
    : workers_(workers),
      hub_(hub),
      log_(log),
      topic_(std::move(topic)),
      zone_(std::move(zone)),
      clock_(clock),
      intake_(std::move(intake)),
      reconcile_every_(reconcile_every) {}

std::vector<http::Route> MetricsApi::routes() {
    return {
        {Method::get, "/api/metrics/ads/{id}", "counts and ratios of an ad",
         [this](const Request& request, Responder responder) {
             entity(request, std::move(responder), Entity::ad);
         }},
        {Method::get, "/api/metrics/campaigns/{id}", "counts and ratios of a campaign",
         [this](const Request& request, Responder responder) {
             entity(request, std::move(responder), Entity::campaign);
         }},
        {Method::get, "/api/metrics/ads/{id}/hourly", "an ad's day by hours (?date=)",
         [this](const Request& request, Responder responder) {
             hourly(request, std::move(responder));
         }},
        {Method::get, "/api/metrics/ads/{id}/daily", "an ad by days (?from=&to=)",
         [this](const Request& request, Responder responder) {
             daily(request, std::move(responder));
         }},
        {Method::get, "/api/metrics/top", "ads by impressions, clicks, ctr or cost (?by=&limit=)",
         [this](const Request& request, Responder responder) {
             top(request, std::move(responder));
         }},
        {Method::get, "/api/metrics/stream", "changes and anomalies as server-sent events",
         [this](const Request& request, Responder responder) {
             hub_.add(request, std::move(responder));
         }},
        {Method::get, "/api/anomalies", "incidents, newest first (?state=OPEN|RESOLVED&limit=)",
         [this](const Request& request, Responder responder) {
             anomalies(request, std::move(responder));
         }},
        {Method::get, "/api/pipeline/status", "the books of the pipeline, and whether they add up",
         [this](const Request& request, Responder responder) {
             status(request, std::move(responder));
         }},
    };
}

void MetricsApi::answer(const Request& request, Responder responder, Read read) {
    // The request's views live until the responder is used: it moves into the task with them. A
    // task that is refused is destroyed with its responder, so the refusal is answered here.
    auto held = std::make_shared<Responder>(std::move(responder));
    bool taken = workers_.run([&request, held, read = std::move(read)](redis::Client& client) {
        auto json = read(client);
        if (json)
            held->send(http::json(200, std::move(json.value())));
        else
            held->send(http::problem(request, json.error()));
    });
    if (!taken)
        held->send(http::problem(
            request, Error{ErrorCode::overloaded, "too many questions at once; ask again"}));
}

void MetricsApi::entity(const Request& request, Responder responder, Entity entity) {
    auto id = id_of(request);
    if (!id)
        return responder.send(http::problem(request, id.error()));
    answer(request, std::move(responder), [entity, id = id.value()](redis::Client& client) {
        return entity_json(client, entity, id);
    });
}

void MetricsApi::hourly(const Request& request, Responder responder) {
    auto id = id_of(request);
    if (!id)
        return responder.send(http::problem(request, id.error()));
    auto day = day_of_parameter(request, "date", today());
    if (!day)
        return responder.send(http::problem(request, day.error()));
    answer(request, std::move(responder),
           [id = id.value(), day = day.value()](redis::Client& client) {
               return hourly_json(client, id, day);
           });
}

void MetricsApi::daily(const Request& request, Responder responder) {
    auto id = id_of(request);
    if (!id)
        return responder.send(http::problem(request, id.error()));
    auto to = day_of_parameter(request, "to", today());
    if (!to)
        return responder.send(http::problem(request, to.error()));
    constexpr std::int64_t week = 7;
    auto from = day_of_parameter(request, "from", domain::LocalDay{to.value().value - week + 1});
    if (!from)
        return responder.send(http::problem(request, from.error()));
    std::int64_t days = to.value().value - from.value().value + 1;
    if (days < 1 || days > most_days)
        return responder.send(http::problem(
            request,
            bad(fmt::format("from must not be after to, and both within {} days", most_days))));
    answer(request, std::move(responder),
           [id = id.value(), from = from.value(), to = to.value()](redis::Client& client) {
               return daily_json(client, id, from, to);
           });
}

void MetricsApi::top(const Request& request, Responder responder) {
    std::string by = http::query_parameter(request.query, "by").value_or("impressions");
    if (!is_sort_key(by))
        return responder.send(
            http::problem(request, bad("by must be impressions, clicks, ctr or cost")));
    auto limit = limit_of(request, 10, most_top);
    if (!limit)
        return responder.send(http::problem(request, limit.error()));
    answer(request, std::move(responder),
           [by = std::move(by), limit = limit.value()](redis::Client& client) {
               return top_json(client, by, limit);
           });
}

void MetricsApi::anomalies(const Request& request, Responder responder) {
    std::string state = http::query_parameter(request.query, "state").value_or("");
    if (!state.empty() && state != "OPEN" && state != "RESOLVED")
        return responder.send(http::problem(request, bad("state must be OPEN or RESOLVED")));
    auto limit = limit_of(request, 100, most_anomalies);
    if (!limit)
        return responder.send(http::problem(request, limit.error()));
    answer(request, std::move(responder),
           [state = std::move(state), limit = limit.value()](redis::Client& client) {
               return anomalies_json(client, state, limit);
           });
}

void MetricsApi::status(const Request& request, Responder responder) {
    answer(request, std::move(responder), [this](redis::Client& client) -> Result<std::string> {
        ADTALLY_TRY(const auto now, read_status(client, log_, topic_, intake_));
        ADTALLY_TRY(const auto minutes,
                    reconciliation_json(client, topic_, reconcile_every_, clock_.wall()));
        return status_json(now, minutes);
    });
}

domain::LocalDay MetricsApi::today() const {
    domain::ReportingZone zone = zone_;
    return domain::day_of(zone.hour(clock_.wall()));
}

}  // namespace adtally::metrics_api
