// What arrives as parameters: the pixel, the click, the postback.
#include <utility>

#include "pipeline/collector/answers.hpp"
#include "pipeline/collector/collector.hpp"
#include "pipeline/collector/media_type.hpp"

namespace adtally::collector {
namespace {

constexpr std::string_view bearer = "Bearer ";

domain::AdId ad_id_of(const Parameters& parameters) {
    const std::string* text = find_parameter(parameters, "ad_id");
    auto number = text == nullptr ? std::nullopt : domain::parse_decimal(*text);
    return domain::AdId{number.value_or(0)};
}

std::optional<std::string_view> view(const std::optional<std::string>& text) {
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

// HEAD asks what a GET would answer; it does nothing.
bool only_looks(const http::Request& request) {
    return request.method == http::Method::head || is_prefetch(request);
}

}  // namespace

std::optional<domain::Rejection> Collector::read_parameters(std::string_view query,
                                                            Parameters& into) const {
    auto parsed = http::parse_query(query);
    if (!parsed)
        return domain::Rejection{"malformed_query", "",
                                 "a percent sign is not followed by two hex digits; write it %25"};
    if (into.size() + parsed->size() > options_.max_parameters)
        return domain::Rejection{
            "too_long", "", "more than " + std::to_string(options_.max_parameters) + " parameters"};
    into.insert(into.end(), std::make_move_iterator(parsed->begin()),
                std::make_move_iterator(parsed->end()));
    return check_no_duplicates(into);
}

std::optional<domain::Rejection> Collector::prepare_parameters(const http::Request& request,
                                                               Parameters& parameters,
                                                               domain::EventType type,
                                                               Submission& into) {
    into.received_at = clock_.wall();
    Lanes::Taken lane = lanes_.take();
    if (auto rejection =
            read_event(parameters, type, options_.unknown_fields, into.received_at, lane->event))
        return rejection;
    return encoder_.add(*lane, defaults_of(request, lane->user_agent), into.received_at, into);
}

void Collector::receive_pixel(const http::Request& request, http::Responder responder) {
    if (only_looks(request)) {
        responder.send(pixel());
        return;
    }
    if (!admit(request, responder, 1))
        return;
    Parameters parameters;
    Submission submission;
    auto rejection = read_parameters(request.query, parameters);
    if (!rejection)
        rejection =
            prepare_parameters(request, parameters, domain::EventType::impression, submission);
    if (rejection) {
        responder.send(reject(request, *rejection));
        admission_.leave(1);
        return;
    }
    submit(request, std::move(responder), std::move(submission), pixel(), Patience::acknowledge);
}

// The target is judged before anything else: who may not be sent there is not counted either. After
// that the person reaches the page, even when the click cannot be kept.
void Collector::receive_click(const http::Request& request, http::Responder responder) {
    Parameters parameters;
    if (auto rejection = read_parameters(request.query, parameters)) {
        responder.send(reject(request, *rejection));
        return;
    }
    const std::optional<std::string> to = take_parameter(parameters, "to");
    const std::optional<std::string> signature = take_parameter(parameters, "sig");
    const std::optional<std::string> exp = take_parameter(parameters, "exp");
    if (!to) {
        responder.send(
            reject(request, {"missing_target", "to", "required: where the click leads"}));
        return;
    }
    Result<std::string> target = click_targets_.approve(
        {*to, ad_id_of(parameters), view(signature), view(exp)}, clock_.wall());
    if (!target) {
        responder.send(reject(request, {"target_refused", "to", target.error().message}));
        return;
    }
    if (only_looks(request)) {
        responder.send(redirect(target.value()));
        return;
    }
    Submission submission;
    if (auto rejection =
            prepare_parameters(request, parameters, domain::EventType::click, submission)) {
        responder.send(reject(request, *rejection));
        return;
    }
    http::Response answer =
        redirect(with_click_id(target.value(), options_.click_id_parameter, submission.event_id));
    switch (admission_.enter(1)) {
        case Admission::Verdict::admitted:
            submit(request, std::move(responder), std::move(submission), std::move(answer),
                   Patience::redirect);
            return;
        case Admission::Verdict::full:
            books_.click_unacknowledged(UnacknowledgedClick::in_flight_limit);
            responder.send(std::move(answer));
            return;
        case Admission::Verdict::stopping:
            books_.click_unacknowledged(UnacknowledgedClick::stopping);
            responder.send(std::move(answer));
            return;
    }
}

// A form's fields and the query's are one list.
void Collector::receive_postback(const http::Request& request, http::Responder responder) {
    if (!request.body.empty() && !is_form_type(media_type(request))) {
        books_.refused(Refusal::unsupported_media_type);
        http::Response answer = refuse(request, Refusal::unsupported_media_type);
        answer.headers.emplace_back("Accept-Post", "application/x-www-form-urlencoded");
        responder.send(std::move(answer));
        return;
    }
    Parameters parameters;
    auto rejection = read_parameters(request.query, parameters);
    if (!rejection)
        rejection = read_parameters(request.body, parameters);
    if (!rejection && !authorized(request, parameters)) {
        books_.refused(Refusal::unauthorized);
        http::Response answer = refuse(request, Refusal::unauthorized);
        answer.headers.emplace_back("WWW-Authenticate", "Bearer");
        responder.send(std::move(answer));
        return;
    }
    if (!rejection && request.method == http::Method::head) {
        responder.send(http::json(200, "{}"));
        return;
    }
    if (!rejection && !admit(request, responder, 1))
        return;
    const bool admitted = !rejection;
    Submission submission;
    if (!rejection)
        rejection = translate_postback(parameters);
    if (!rejection)
        rejection =
            prepare_parameters(request, parameters, domain::EventType::conversion, submission);
    if (rejection) {
        responder.send(reject(request, *rejection));
        if (admitted)
            admission_.leave(1);
        return;
    }
    http::Response success = postback_accepted(submission.event_id);
    submit(request, std::move(responder), std::move(submission), std::move(success),
           Patience::acknowledge);
}

bool Collector::authorized(const http::Request& request, Parameters& parameters) const {
    std::optional<std::string> token = take_parameter(parameters, "token");
    if (!postback_tokens_.required())
        return true;
    std::string_view header = request.header("authorization").value_or("");
    if (header.substr(0, bearer.size()) == bearer)
        return postback_tokens_.accept(header.substr(bearer.size()));
    return token && postback_tokens_.accept(*token);
}

}  // namespace adtally::collector
