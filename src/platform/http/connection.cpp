// Reading, deadlines and the end of a connection: see connection.hpp.
#include "platform/http/connection.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/buffer.hpp>

#include "platform/http/loop.hpp"

namespace adtally::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_linger_bytes = 8u << 20;
constexpr Milliseconds linger_timeout{3'000};
constexpr Milliseconds short_linger_timeout{500};  // for the refused, and while draining

}  // namespace

Connection::Connection(Loop& loop, Socket socket, const IpAddress& peer)
    : loop_(loop),
      mailbox_(loop.mailbox()),
      socket_(std::move(socket)),
      parser_(loop.core().parser_limits),
      peer_(peer),
      peer_text_(to_text(peer)) {}

void Connection::start(std::optional<Refusal> refusal) {
    now_ = std::chrono::steady_clock::now();
    if (refusal) {
        refused_ = true;
        bool all = *refusal == Refusal::connections;
        fail(all ? ParseError{503, "too_many_connections", "all connections are in use"}
                 : ParseError{429, "too_many_connections", "too many connections of one client"});
        return;
    }
    // A client that says nothing at all holds a place only as long as a slow one would.
    wait_for(Wait::idle, loop_.core().options.header_timeout);
    read_into(parser_.prepare());
}

void Connection::wait_for(Wait wait, Milliseconds span) {
    wait_ = wait;
    deadline_ = now_ + span;
}

void Connection::read_into(std::span<char> room) {
    read_pending_ = true;
    auto done = [self = shared_from_this()](const ErrorCode& ec, std::size_t bytes) {
        self->on_read(ec, bytes);
    };
    socket_->async_read_some(
        asio::buffer(room.data(), room.size()),
        asio::bind_allocator(OperationAllocator<void>(read_memory_), std::move(done)));
}

void Connection::on_read(const ErrorCode& ec, std::size_t bytes) {
    read_pending_ = false;
    switch (state_) {
        case State::reading:
            return on_request_bytes(ec, bytes);
        case State::lingering:
            return on_linger_bytes(ec, bytes);
        case State::streaming:
            // The client of a stream has nothing more to say; its end is the stream's.
            if (ec)
                return close();
            unread_ = true;
            return read_into(parser_.scratch());
        case State::handling:
        case State::writing:  // an error is being told; what arrived is unwanted
        case State::closed:
            return;
    }
}

void Connection::on_request_bytes(const ErrorCode& ec, std::size_t bytes) {
    now_ = std::chrono::steady_clock::now();
    if (ec) {
        if (ec != asio::error::eof || parser_.idle())
            return close();
        return fail({400, "request_incomplete", "the request ended too early"});
    }
    parser_.commit(bytes);
    pump();
}

// Requests that are here already are served in a loop, not by recursion.
void Connection::pump() {
    while (state_ == State::reading) {
        switch (parser_.advance()) {
            case RequestParser::Progress::need_more:
                return await_more();
            case RequestParser::Progress::head:
                take_head();
                break;
            case RequestParser::Progress::request:
                dispatch();
                break;
            case RequestParser::Progress::error:
                fail(parser_.error());
                break;
        }
    }
}

void Connection::await_more() {
    const ServerOptions& options = loop_.core().options;
    Wait wait = parser_.idle() ? Wait::idle : parser_.has_head() ? Wait::body : Wait::header;
    if (wait != wait_) {
        wait_for(wait, wait == Wait::idle     ? options.idle_timeout
                       : wait == Wait::header ? options.header_timeout
                                              : options.body_timeout);
    }
    read_into(parser_.prepare());
}

void Connection::check_deadline(SteadyTime now) {
    if (wait_ == Wait::nothing || now < deadline_)
        return;
    now_ = now;
    switch (wait_) {
        case Wait::nothing:
            return;
        case Wait::header:
            return fail({408, "header_timeout", "the header did not arrive in time"});
        case Wait::body:
            return fail({408, "body_timeout", "the body did not arrive in time"});
        case Wait::write:
            return reset();
        case Wait::idle:
        case Wait::linger:
            return close();
    }
}

void Connection::drain() {
    switch (state_) {
        case State::reading:
            // What the kernel holds already is still read, then comes an end of file.
            if (parser_.idle()) {
                ErrorCode ignored;
                socket_->shutdown(Socket::shutdown_receive, ignored);
            }
            return;
        case State::streaming:
            stream_->end();
            return;
        case State::lingering:
            now_ = std::chrono::steady_clock::now();
            return wait_for(Wait::linger, short_linger_timeout);
        case State::handling:
        case State::writing:
        case State::closed:
            return;
    }
}

void Connection::linger() {
    ErrorCode ec;
    socket_->shutdown(Socket::shutdown_send, ec);
    if (ec)
        return close();
    state_ = State::lingering;
    linger_bytes_ = 0;
    bool brief = refused_ || loop_.draining();
    wait_for(Wait::linger, brief ? short_linger_timeout : linger_timeout);
    if (!read_pending_)
        read_into(parser_.scratch());
}

void Connection::on_linger_bytes(const ErrorCode& ec, std::size_t bytes) {
    linger_bytes_ += bytes;
    if (ec || linger_bytes_ > max_linger_bytes)
        return close();
    read_into(parser_.scratch());
}

// For a client that does not read: nothing of the answer is kept for it.
void Connection::reset() {
    ErrorCode ignored;
    socket_->set_option(asio::socket_base::linger(true, 0), ignored);
    close();
}

void Connection::close() {
    if (state_ == State::closed)
        return;
    state_ = State::closed;
    wait_ = Wait::nothing;
    if (stream_)
        stream_->close();
    ErrorCode ignored;
    socket_->close(ignored);
    socket_.reset();
    ServerCore& core = loop_.core();
    if (refused_) {
        --core.refused_connections;
    } else {
        --core.connections;
        core.per_client.leave(peer_);
    }
    std::shared_ptr<Connection> self = shared_from_this();
    loop_.remove(*this);
}

}  // namespace adtally::http
