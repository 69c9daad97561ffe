// The way back: answers, streams and what they are counted as. See connection.hpp.
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "base/assert.hpp"
#include "platform/http/connection.hpp"
#include "platform/http/loop.hpp"
#include "platform/http/response_head.hpp"

namespace adtally::http {

namespace asio = boost::asio;

namespace {
constexpr std::size_t small_body = 1u << 10;
}  // namespace

void Connection::respond(Response response) {
    response_ = std::move(response);
    if (mailbox_->is_here() && dispatching_)
        given_ = Given::answer;
    else
        mailbox_->push(shared_from_this(), Mail::answer);
}

std::shared_ptr<BodyStream> Connection::stream(Response head) {
    auto state = std::make_shared<StreamState>(weak_from_this(), mailbox_, parser_.head().http11);
    response_ = std::move(head);
    stream_ = state;
    if (mailbox_->is_here() && dispatching_)
        given_ = Given::stream;
    else if (!mailbox_->push(shared_from_this(), Mail::stream_head))
        state->close();
    return std::make_shared<StreamHandle>(std::move(state));
}

void Connection::deliver(Mail mail) {
    if (state_ == State::closed) {
        // The client was gone before its answer; it is no longer being worked on.
        if (in_flight_)
            --loop_.core().in_flight;
        in_flight_ = false;
        if (stream_)
            stream_->close();
        return;
    }
    switch (mail) {
        case Mail::answer:
            send_answer();
            return pump();
        case Mail::stream_head:
            return begin_stream();
        case Mail::stream_data:
            if (state_ != State::streaming)
                return;
            if (stream_->overflowed())
                return reset();
            now_ = std::chrono::steady_clock::now();
            return flush_stream();
    }
}

void Connection::finish_accounting(int status) {
    now_ = std::chrono::steady_clock::now();
    wait_ = Wait::nothing;
    ServerCore& core = loop_.core();
    if (in_flight_)
        core.in_flight.fetch_sub(1, std::memory_order_relaxed);
    in_flight_ = false;
    std::chrono::duration<double> spent = now_ - request_at_;
    loop_.timers().observe(slot_, request_.method, status, spent.count());
}

void Connection::answer(Response response) {
    response_ = std::move(response);
    send_answer();
}

void Connection::send_answer() {
    ADTALLY_ASSERT(response_.status >= 200 && response_.status <= 599);
    ServerCore& core = loop_.core();
    if (core.options.decorate)
        core.options.decorate(request_, response_);
    finish_accounting(response_.status);
    core.failures.answered(request_, response_.status, now_);

    const RequestHead& head = parser_.head();
    bool known = parser_.has_head();
    close_after_ =
        close_after_ || response_.close || !known || !head.keep_alive || loop_.draining();
    HeadOptions options{.date_line = loop_.date().at(now_),
                        .http11 = !known || head.http11,
                        .keep_alive = !close_after_};
    write_response_head(response_, options, out_);
    std::string_view body;
    if (may_have_body(response_.status) && request_.method != Method::head)
        body = response_.body;
    // One buffer is cheaper for the kernel than two.
    if (body.size() <= small_body) {
        out_ += body;
        body = {};
    }
    state_ = State::writing;
    write_out(body);
}

void Connection::fail(const ParseError& error) {
    describe_request();
    close_after_ = true;
    unread_ = true;
    answer(problem(request_,
                   Problem{error.status, std::string(error.code), std::string(error.detail), {}}));
}

// Before the body has been read. If it is here already the connection can go on.
void Connection::refuse_early(Problem refused, int retry_after_seconds) {
    if (parser_.advance() != RequestParser::Progress::request)
        close_after_ = unread_ = true;
    Response response = problem(request_, refused);
    for (auto& [name, value] : response.headers) {
        if (name == "Retry-After")
            value = std::to_string(retry_after_seconds);
    }
    answer(std::move(response));
}

void Connection::write_out(std::string_view body) {
    std::array<asio::const_buffer, 2> buffers{asio::buffer(out_),
                                              asio::buffer(body.data(), body.size())};
    std::size_t total = out_.size() + body.size();
    ErrorCode ec;
    std::size_t sent =
        body.empty() ? socket_->write_some(buffers[0], ec) : socket_->write_some(buffers, ec);
    if (!ec && sent == total)
        return answered();
    if (ec && ec != asio::error::would_block)
        return close();
    if (sent >= out_.size()) {
        buffers[0] = {};
        buffers[1] += sent - out_.size();
    } else {
        buffers[0] += sent;
    }
    wait_for(Wait::write, loop_.core().options.write_timeout);
    asio::async_write(*socket_, buffers,
                      [self = shared_from_this()](const ErrorCode& failed, std::size_t) {
                          self->on_written(failed);
                      });
}

void Connection::on_written(const ErrorCode& ec) {
    if (state_ == State::closed)
        return;
    if (ec)
        return close();
    now_ = std::chrono::steady_clock::now();
    answered();
    pump();
}

void Connection::answered() {
    response_ = {};
    if (close_after_)
        return end();
    parser_.next();
    state_ = State::reading;
    wait_ = Wait::nothing;
}

void Connection::end() {
    if (unread_ || parser_.holds_more())
        linger();
    else
        close();
}

void Connection::begin_stream() {
    ServerCore& core = loop_.core();
    if (core.options.decorate)
        core.options.decorate(request_, response_);
    finish_accounting(response_.status);
    close_after_ = true;
    HeadOptions options{.date_line = loop_.date().at(now_),
                        .http11 = parser_.head().http11,
                        .keep_alive = false,
                        .streamed = true};
    write_response_head(response_, options, out_);
    if (request_.method == Method::head) {
        stream_->close();
        state_ = State::writing;
        return write_out({});
    }
    state_ = State::streaming;
    if (loop_.draining())
        stream_->end();
    write_pending_ = true;
    wait_for(Wait::write, core.options.write_timeout);
    asio::async_write(*socket_, asio::buffer(out_),
                      [self = shared_from_this()](const ErrorCode& ec, std::size_t) {
                          self->on_stream_written(ec, false);
                      });
    read_into(parser_.scratch());
}

void Connection::flush_stream() {
    if (write_pending_)
        return;
    StreamState::Next next = stream_->take(out_);
    if (next == StreamState::Next::nothing)
        return;
    bool last = next == StreamState::Next::last_bytes;
    write_pending_ = true;
    wait_for(Wait::write, loop_.core().options.write_timeout);
    asio::async_write(*socket_, asio::buffer(out_),
                      [self = shared_from_this(), last](const ErrorCode& ec, std::size_t) {
                          self->on_stream_written(ec, last);
                      });
}

void Connection::on_stream_written(const ErrorCode& ec, bool last) {
    write_pending_ = false;
    if (state_ != State::streaming)
        return;
    if (ec)
        return close();
    now_ = std::chrono::steady_clock::now();
    wait_ = Wait::nothing;
    if (!last)
        return flush_stream();
    end();
}

}  // namespace adtally::http
