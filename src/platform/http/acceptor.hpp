// Takes connections on one port and hands them to the loops in turn.
//
// The port is bound without SO_REUSEPORT, so that a second process on it is an error and not a
// silent sharing of the traffic. Limits are applied here, before a loop is bothered. When the
// process has no descriptors left, accepting pauses: trying again at once would only spin.
//
// Threads. Constructed anywhere; afterwards it lives on the first loop's thread.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <vector>

#include "platform/http/loop.hpp"

namespace adtally::http {

class Acceptor {
public:
    // Binds and listens; throws std::runtime_error with the remedy.
    Acceptor(ServerCore& core, std::vector<std::unique_ptr<Loop>>& loops);

    std::uint16_t port() const { return port_; }
    void start();
    // Takes what waits in the queue already, then closes the port.
    void stop();
    void close();

private:
    using Executor = boost::asio::io_context::executor_type;
    void accept();
    void take(Socket socket, Loop& loop);
    bool on_error(const boost::system::error_code& ec);  // false: accepting goes on later
    Loop& next_loop();

    ServerCore& core_;
    std::vector<std::unique_ptr<Loop>>& loops_;
    std::size_t turn_ = 0;
    boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor> acceptor_;
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, Executor>
        pause_;
    std::uint16_t port_ = 0;
};

}  // namespace adtally::http
