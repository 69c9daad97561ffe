// Each handler checks its parameters, asks on the worker thread, renders.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "domain/ids.hpp"
#include "domain/validation.hpp"
#include "pipeline/processor/operations/operations_api.hpp"
#include "pipeline/processor/operations/redis_marks.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::operations {
namespace {

using http::Method;
using http::Request;
using http::Responder;

constexpr std::size_t most_waiting = 16;
constexpr std::int64_t usual_letters = 100;
constexpr std::int64_t most_letters = 500;

Error bad(std::string message) {
    return {ErrorCode::invalid_argument, std::move(message)};
}

Result<std::optional<TimestampMs>> time_of(const Request& request, const char* name) {
    const auto text = http::query_parameter(request.query, name);
    if (!text)
        return std::optional<TimestampMs>{};
    if (const auto time = domain::parse_rfc3339(*text))
        return std::optional{*time};
    if (const auto ms = domain::parse_decimal(*text))
        return std::optional{TimestampMs{*ms}};
    return bad(
        fmt::format("{} must be a time such as 2024-01-15T14:03:22Z, or epoch milliseconds", name));
}

Result<LetterFilter> filter_of(const Request& request) {
    LetterFilter filter;
    filter.reason = http::query_parameter(request.query, "reason").value_or("");
    ADTALLY_TRY(const auto from, time_of(request, "from"));
    ADTALLY_TRY(const auto to, time_of(request, "to"));
    filter.from = from.value_or(filter.from);
    filter.to = to.value_or(filter.to);
    return filter;
}

Result<std::size_t> limit_of(const Request& request) {
    const auto text = http::query_parameter(request.query, "limit");
    const auto limit = text ? domain::parse_decimal(*text) : std::optional{usual_letters};
    if (!limit || *limit < 1 || *limit > most_letters)
        return bad(fmt::format("limit must be an integer from 1 to {}", most_letters));
    return static_cast<std::size_t>(*limit);
}

Result<Position> position_of(const std::optional<std::string>& text, Position otherwise) {
    if (!text)
        return otherwise;
    if (const auto position = parse_position(*text))
        return *position;
    return bad("a dead letter is named by partition and offset, such as 3-17");
}

Result<bool> flag_of(const Request& request, const char* name) {
    const std::string text = http::query_parameter(request.query, name).value_or("false");
    if (text != "true" && text != "false")
        return bad(fmt::format("{} must be true or false", name));
    return text == "true";
}

std::string to_json(const Page& page) {
    std::string json = R"({"letters":[)";
    for (std::size_t i = 0; i < page.letters.size(); ++i)
        json += (i > 0 ? "," : "") + to_json(page.letters[i]);
    return json + R"(],"next":)" +
           (page.next ? '"' + to_string(*page.next) + '"' : std::string("null")) + "}";
}

}  // namespace

OperationsApi::OperationsApi(redis::ClientOptions redis, eventlog::EventLog& log,
                             domain::ReportingZone zone, const Clock& clock,
                             OperationsOptions options)
    : workers_(std::move(redis), 1, most_waiting),
      log_(log),
      zone_(std::move(zone)),
      clock_(clock),
      options_(std::move(options)) {}

std::vector<http::Route> OperationsApi::routes() {
    return {
        {Method::get, "/api/dead-letters", "what could not be counted (?reason=&from=&to=&after=)",
         [this](const Request& request, Responder responder) {
             list(request, std::move(responder));
         }},
        {Method::get, "/api/dead-letters/{id}", "one of them, by partition and offset: 3-17",
         [this](const Request& request, Responder responder) {
             show(request, std::move(responder));
         }},
        {Method::post, "/api/redrive",
         "sends them again (?id= or ?reason=&from=&to=&after=, &dry_run=&force=)",
         [this](const Request& request, Responder responder) {
             redrive(request, std::move(responder));
         }},
        {Method::get, "/api/events/{id}/trace", "where an event is (?ad_id=&from=&to=)",
         [this](const Request& request, Responder responder) {
             trace(request, std::move(responder));
         }},
    };
}

void OperationsApi::answer(const Request& request, Responder responder, Ask ask) {
    // As MetricsApi::answer: a task that is refused is destroyed with its responder.
    auto held = std::make_shared<Responder>(std::move(responder));
    const bool taken = workers_.run([&request, held, ask = std::move(ask)](redis::Client& client) {
        auto json = ask(client);
        if (json)
            held->send(http::json(200, std::move(json.value())));
        else
            held->send(http::problem(request, json.error()));
    });
    if (!taken)
        held->send(http::problem(
            request, Error{ErrorCode::overloaded, "other searches are running; ask again"}));
}

void OperationsApi::list(const Request& request, Responder responder) {
    auto filter = filter_of(request);
    auto first = position_of(http::query_parameter(request.query, "after"), Position{});
    auto limit = limit_of(request);
    for (const Error* error : {filter ? nullptr : &filter.error(), first ? nullptr : &first.error(),
                               limit ? nullptr : &limit.error()})
        if (error != nullptr)
            return responder.send(http::problem(request, *error));
    answer(request, std::move(responder),
           [this, filter = std::move(filter.value()), first = first.value(),
            limit = limit.value()](redis::Client&) -> Result<std::string> {
               LetterBox box(log_, options_.dead_letter_topic);
               ADTALLY_TRY(const auto page, box.list(filter, first, limit));
               return to_json(page);
           });
}

void OperationsApi::show(const Request& request, Responder responder) {
    auto position = position_of(request.path_parameters[0], Position{});
    if (!position)
        return responder.send(http::problem(request, position.error()));
    answer(request, std::move(responder),
           [this, position = position.value()](redis::Client&) -> Result<std::string> {
               LetterBox box(log_, options_.dead_letter_topic);
               ADTALLY_TRY(const auto letter, box.find(position));
               return to_json(letter);
           });
}

void OperationsApi::redrive(const Request& request, Responder responder) {
    auto filter = filter_of(request);
    auto first = position_of(http::query_parameter(request.query, "after"), Position{});
    auto limit = limit_of(request);
    const auto id = http::query_parameter(request.query, "id");
    auto only = position_of(id, Position{});
    auto dry_run = flag_of(request, "dry_run");
    auto force = flag_of(request, "force");
    for (const Error* error :
         {filter ? nullptr : &filter.error(), first ? nullptr : &first.error(),
          limit ? nullptr : &limit.error(), only ? nullptr : &only.error(),
          dry_run ? nullptr : &dry_run.error(), force ? nullptr : &force.error()})
        if (error != nullptr)
            return responder.send(http::problem(request, *error));
    const Redriver::Wish wish{dry_run.value(), force.value()};
    answer(request, std::move(responder),
           [this, filter = std::move(filter.value()), first = first.value(), limit = limit.value(),
            one = id.has_value(), only = only.value(),
            wish](redis::Client& client) -> Result<std::string> {
               LetterBox box(log_, options_.dead_letter_topic);
               RedisMarks marks(client);
               Redriver redriver(box, log_.producer(), marks, clock_,
                                 {.topic = options_.topic, .dedup_window = options_.dedup_window});
               auto report =
                   one ? redriver.one(only, wish) : redriver.page(filter, first, limit, wish);
               if (!report)
                   return report.error();
               return to_json(report.value());
           });
}

void OperationsApi::trace(const Request& request, Responder responder) {
    TraceQuery query;
    query.event_id = request.path_parameters[0];
    if (!domain::is_event_id(query.event_id))
        return responder.send(
            http::problem(request, bad("an event id is 1 to 64 of A-Z a-z 0-9 . _ : -")));
    if (const auto ad = http::query_parameter(request.query, "ad_id")) {
        query.ad = domain::parse_decimal(*ad);
        if (!query.ad || *query.ad < 1)
            return responder.send(
                http::problem(request, bad("ad_id must be an integer from 1 to 2^63-1")));
    }
    auto from = time_of(request, "from");
    auto to = time_of(request, "to");
    if (!from || !to)
        return responder.send(http::problem(request, from ? to.error() : from.error()));
    query.from = from.value();
    query.to = to.value();
    answer(request, std::move(responder),
           [this, query = std::move(query)](redis::Client& client) -> Result<std::string> {
               EventTracer tracer(log_, options_.topic, options_.dedup_window, zone_);
               ADTALLY_TRY(const auto trace, tracer.find(
                                                 query, [&] { return counted_to(client); },
                                                 Deadline::after(options_.search_time)));
               return to_json(query, trace);
           });
}

Result<std::vector<std::optional<Offset>>> OperationsApi::counted_to(redis::Client& client) {
    ADTALLY_TRY(const auto info, log_.topic(options_.topic));
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(info.partitions));
    for (std::int32_t i = 0; i < info.partitions; ++i)
        names.push_back(redis_sink::keys::offset(options_.topic, Partition{i}));
    std::vector<std::string_view> words{"MGET"};
    words.insert(words.end(), names.begin(), names.end());
    ADTALLY_TRY(const auto reply, client.command(words));
    std::vector<std::optional<Offset>> offsets;
    for (const redis::Reply& each : reply.elements) {
        const auto offset = each.is_nil() ? std::nullopt : domain::parse_decimal(each.text);
        offsets.push_back(offset ? std::optional{Offset{*offset}} : std::nullopt);
    }
    return offsets;
}

}  // namespace adtally::operations
