// Each handler has its parameters checked (questions.hpp), asks on the worker thread, renders.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "domain/validation.hpp"
#include "pipeline/processor/operations/operations_api.hpp"
#include "pipeline/processor/operations/questions.hpp"
#include "pipeline/processor/operations/redis_marks.hpp"
#include "pipeline/processor/redis_sink/dead_lettered.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::operations {
namespace {

using http::Method;
using http::Request;
using http::Responder;

constexpr std::size_t most_waiting = 16;

std::string page_json(const std::vector<Letter>& letters, const std::optional<Position>& next,
                      const Ends& ends, bool more) {
    std::string json = R"({"letters":[)";
    for (std::size_t i = 0; i < letters.size(); ++i)
        json += (i > 0 ? "," : "") + to_json(letters[i]);
    const std::string after = next ? '"' + to_string(*next) + '"' : "null";
    return json +
           fmt::format(R"(],"next":{},"ends":"{}","more":{}}})", after, to_string(ends), more);
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
        {Method::get, "/api/dead-letters",
         "what could not be counted (?reason=&from=&to=&order=&after=&ends=)",
         [this](const Request& request, Responder responder) {
             list(request, std::move(responder));
         }},
        {Method::get, "/api/dead-letters/{id}", "one of them, by partition and offset: 3-17",
         [this](const Request& request, Responder responder) {
             show(request, std::move(responder));
         }},
        {Method::post, "/api/redrive",
         "sends them again (?id= or ?reason=&from=&to= or ?all=true, &dry_run=&force=)",
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
    auto asked = list_question(request);
    if (!asked)
        return responder.send(http::problem(request, asked.error()));
    answer(request, std::move(responder),
           [this, question = std::move(asked.value())](redis::Client&) -> Result<std::string> {
               LetterBox box(log_, options_.dead_letter_topic);
               if (question.newest) {
                   ADTALLY_TRY(const auto page,
                               box.newest(question.filter, question.limit, question.ends));
                   return page_json(page.letters, std::nullopt, page.ends, page.more);
               }
               ADTALLY_TRY(const auto page, box.list(question.filter, question.first,
                                                     question.limit, question.ends));
               return page_json(page.letters, page.next, page.ends, page.next.has_value());
           });
}

void OperationsApi::show(const Request& request, Responder responder) {
    auto position = letter_question(request);
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
    auto asked = redrive_question(request);
    if (!asked)
        return responder.send(http::problem(request, asked.error()));
    answer(
        request, std::move(responder),
        [this, question = std::move(asked.value())](redis::Client& client) -> Result<std::string> {
            LetterBox box(log_, options_.dead_letter_topic);
            RedisMarks marks(client, options_.dead_letter_topic);
            Redriver redriver(box, log_.producer(), marks, clock_,
                              {.topic = options_.topic, .dedup_window = options_.dedup_window});
            auto report = question.id ? redriver.one(*question.id, question.wish)
                                      : redriver.page(question.filter, question.first,
                                                      question.limit, question.wish, question.ends);
            if (!report)
                return report.error();
            return to_json(report.value());
        });
}

void OperationsApi::trace(const Request& request, Responder responder) {
    auto query = trace_question(request);
    if (!query)
        return responder.send(http::problem(request, query.error()));
    answer(request, std::move(responder),
           [this, query = std::move(query.value())](redis::Client& client) -> Result<std::string> {
               EventTracer tracer(log_, options_.topic, options_.dedup_window, zone_);
               const EventTracer::Counted counted{[&] { return counted_to(client); },
                                                  [&](Partition partition) {
                                                      return redis_sink::read_dead_lettered(
                                                          client, options_.topic, partition,
                                                          Offset{0});
                                                  }};
               ADTALLY_TRY(const auto trace,
                           tracer.find(query, counted, Deadline::after(options_.search_time)));
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
