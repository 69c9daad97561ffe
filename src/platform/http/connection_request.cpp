// What a request is, whether it is taken, and who handles it: see connection.hpp.
#include <array>
#include <boost/asio/buffer.hpp>
#include <exception>

#include "platform/http/connection.hpp"
#include "platform/http/loop.hpp"

namespace adtally::http {

// Also for a request that failed before its head was known.
void Connection::describe_request() {
    request_ = Request{};
    request_.peer_ip = peer_text_;
    request_.client_ip = peer_text_;
    client_ = peer_;
    slot_ = loop_.core().unknown_slot();
    request_at_ = now_;
    std::optional<std::string_view> parent;
    if (parser_.has_head()) {
        const RequestHead& head = parser_.head();
        request_.method = head.method;
        request_.target = head.target;
        request_.path = head.path;
        request_.query = head.query;
        request_.headers = head.fields;
        parent = request_.header("traceparent");
        find_client();
    }
    trace_.start(parent, loop_.ids());
    request_.trace_id = trace_.trace_id();
    request_.traceparent = trace_.traceparent();
}

void Connection::find_client() {
    ServerCore& core = loop_.core();
    if (core.options.trusted_proxies.empty())
        return;
    client_ = core.proxies.client_of(peer_, request_.headers);
    if (client_ == peer_)
        return;
    client_text_ = to_text(client_);
    request_.client_ip = client_text_;
}

void Connection::take_head() {
    describe_request();
    if (admit_rate() && acceptable())
        answer_expectation();
}

bool Connection::admit_rate() {
    ServerCore& core = loop_.core();
    if (core.rate == nullptr)
        return true;
    int wait = core.rate->admit(client_, now_);
    if (wait == 0)
        return true;
    core.count_refused(Refusal::rate);
    refuse_early({429, "rate_limited", "too many requests of one client", {}}, wait);
    return false;
}

bool Connection::acceptable() {
    const RequestHead& head = parser_.head();
    if (head.method == Method::other) {
        close_after_ = true;
        refuse_early({501, "method_not_implemented", "this method is not implemented", {}});
        return false;
    }
    if (head.encoded) {
        refuse_early({415,
                      "content_encoding_unsupported",
                      "send the body as it is, without Content-Encoding",
                      {}});
        return false;
    }
    if (head.expectation == Expectation::unknown) {
        close_after_ = true;
        refuse_early({417, "expectation_unknown", "only 100-continue can be expected", {}});
        return false;
    }
    return true;
}

void Connection::answer_expectation() {
    if (parser_.head().expectation != Expectation::continue_100)
        return;
    if (parser_.advance() != RequestParser::Progress::need_more)
        return;  // the client did not wait, or its body is refused anyway
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    ErrorCode ec;
    // All earlier answers are written, so the socket has room for 25 bytes unless it is dead.
    std::size_t sent = socket_->write_some(boost::asio::buffer(go_on), ec);
    if (ec || sent != go_on.size())
        close();
}

void Connection::dispatch() {
    ServerCore& core = loop_.core();
    wait_ = Wait::nothing;
    request_at_ = now_;
    if (core.in_flight.fetch_add(1, std::memory_order_relaxed) >=
        core.options.max_requests_in_flight) {
        --core.in_flight;
        core.count_refused(Refusal::in_flight);
        return answer(problem(
            request_, Problem{503, "overloaded", "too many requests are being worked on", {}}));
    }
    in_flight_ = true;
    request_.body = parser_.body();
    request_.body_padding = BodyBuffer::padding;
    core.router.match(request_.method, request_.path, match_);
    if (match_.bad_escape) {
        return answer(
            problem(request_, Problem{400, "path_invalid", "the path has a malformed escape", {}}));
    }
    if (match_.route != nullptr)
        return call_handler(*match_.route);
    if (match_.allow.empty()) {
        slot_ = core.not_found_slot();
        return answer(problem(request_, Problem{404, "not_found", "there is nothing here", {}}));
    }
    Response response =
        problem(request_, Problem{405, "method_not_allowed", "allowed here: " + match_.allow, {}});
    response.headers.emplace_back("Allow", match_.allow);
    answer(std::move(response));
}

void Connection::call_handler(const Route& route) {
    slot_ = loop_.core().route_slot(route);
    request_.route = route.path;
    request_.path_parameters = match_.parameters;
    state_ = State::handling;
    given_ = Given::nothing;
    dispatching_ = true;
    // Handlers do not throw; if one does, its Responder answers 500 on the way out.
    try {
        route.handler(request_, Responder(shared_from_this()));
    } catch (const std::exception& error) {
        loop_.core().logger.error(
            "an HTTP handler threw",
            {{"route", route.path}, {"error", std::string_view(error.what())}});
    }
    dispatching_ = false;
    switch (given_) {
        case Given::nothing:
            return;  // later
        case Given::answer:
            return send_answer();
        case Given::stream:
            return begin_stream();
    }
}

}  // namespace adtally::http
