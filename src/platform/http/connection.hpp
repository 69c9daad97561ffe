// One TCP connection: reads requests, has them handled one at a time, writes the answers in order.
//
// A plain state machine on its loop's thread. At most one read and one write are under way; an
// answer is tried with one gathering write at once, which is nearly always all there is to do.
//
//     reading ──request──► handling ──answer──► writing ──► reading, lingering or closed
//                              └──stream──► streaming ──► lingering or closed
//
// Lingering: after an answer that leaves bytes unread the sending side is shut and what the client
// still sends is thrown away for a while, because closing at once would reset the connection and
// with it the answer.
//
// Ownership. The loop holds every open connection; an operation under way and a Responder hold it
// too, so that a request's views live as long as its Responder. close() lets go of the socket and
// of the loop: what is left afterwards is memory, harmless also after the server's end.
//
// Threads. The loop's, but for respond() and stream().
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "platform/http/client_address.hpp"
#include "platform/http/mailbox.hpp"
#include "platform/http/operation_memory.hpp"
#include "platform/http/request_parser.hpp"
#include "platform/http/router.hpp"
#include "platform/http/server_core.hpp"
#include "platform/http/stream_state.hpp"
#include "platform/http/trace.hpp"

namespace adtally::http {

class Loop;

using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

class Connection final : public ResponseSink, public std::enable_shared_from_this<Connection> {
public:
    Connection(Loop& loop, Socket socket, const IpAddress& peer);

    // With a refusal: says so and closes.
    void start(std::optional<Refusal> refusal);
    void check_deadline(SteadyTime now);
    // Finishes what was begun and closes.
    void drain();
    void close();
    void deliver(Mail mail);

    void respond(Response response) override;
    std::shared_ptr<BodyStream> stream(Response head) override;

    std::size_t place_in_loop = 0;  // the loop's

private:
    enum class State : std::uint8_t { reading, handling, writing, streaming, lingering, closed };
    enum class Wait : std::uint8_t { nothing, idle, header, body, write, linger };
    enum class Given : std::uint8_t { nothing, answer, stream };
    using ErrorCode = boost::system::error_code;

    // connection.cpp: reading and deadlines
    void read_into(std::span<char> room);
    void on_read(const ErrorCode& ec, std::size_t bytes);
    void on_request_bytes(const ErrorCode& ec, std::size_t bytes);
    void pump();
    void await_more();
    void wait_for(Wait wait, Milliseconds span);
    void linger();
    void on_linger_bytes(const ErrorCode& ec, std::size_t bytes);
    void reset();

    // connection_request.cpp: what a request is and who handles it
    void describe_request();
    void find_client();
    void take_head();
    bool admit_rate();
    bool acceptable();
    void answer_expectation();
    void dispatch();
    void call_handler(const Route& route);

    // connection_answer.cpp: the way back
    void answer(Response response);
    void send_answer();
    void fail(const ParseError& error);
    void refuse_early(Problem problem, int retry_after_seconds = 1);
    void finish_accounting(int status);
    void write_out(std::string_view body);
    void on_written(const ErrorCode& ec);
    void answered();
    void end();
    void begin_stream();
    void flush_stream();
    void on_stream_written(const ErrorCode& ec, bool last);

    Loop& loop_;  // not after close()
    const std::shared_ptr<Mailbox> mailbox_;
    std::optional<Socket> socket_;
    RequestParser parser_;
    const IpAddress peer_;
    const std::string peer_text_;
    IpAddress client_;
    std::string client_text_;  // only when a proxy spoke for the client
    TraceContext trace_;
    Request request_;
    Router::Match match_;
    std::size_t slot_ = 0;
    SteadyTime now_{};
    SteadyTime request_at_{};
    SteadyTime deadline_{};
    std::size_t linger_bytes_ = 0;
    Response response_;  // given by the handler, then being written
    std::string out_;    // an answer's head, with a small body; or bytes of a stream
    OperationMemory read_memory_;
    std::shared_ptr<StreamState> stream_;
    State state_ = State::reading;
    Wait wait_ = Wait::nothing;
    Given given_ = Given::nothing;
    bool dispatching_ = false;
    bool read_pending_ = false;
    bool write_pending_ = false;
    bool in_flight_ = false;
    bool close_after_ = false;
    bool unread_ = false;  // bytes may come that nobody wants
    bool refused_ = false;
};

}  // namespace adtally::http
