// A thread with its own io_context and the connections that live on it.
//
// No timer per request: a connection has a deadline, and one sweep (at most every 250 ms) looks at
// all of them.
//
// End. begin_drain() lets every connection finish; when the last one is gone the loop has nothing
// left to do and run() returns. The io_context is never stopped: that would drop what is under way.
#pragma once

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "platform/http/connection.hpp"
#include "platform/http/mailbox.hpp"
#include "platform/http/response_head.hpp"
#include "platform/http/server_core.hpp"
#include "platform/http/trace.hpp"

namespace adtally::http {

class Loop {
public:
    Loop(ServerCore& core, int number);
    ~Loop();

    void run();  // the thread's body

    // Any thread.
    void adopt(Socket socket, const IpAddress& peer, std::optional<Refusal> refusal);
    void begin_drain();
    void close_all();
    boost::asio::io_context& context() { return context_; }

    // Loop thread.
    void remove(Connection& connection);
    bool draining() const { return draining_; }
    ServerCore& core() { return core_; }
    const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
    TimerCache& timers() { return timers_; }
    IdGenerator& ids() { return ids_; }
    DateLine& date() { return date_; }

private:
    using Executor = boost::asio::io_context::executor_type;
    using SweepTimer = boost::asio::basic_waitable_timer<
        std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

    void add(Socket socket, const IpAddress& peer, std::optional<Refusal> refusal);
    void arm_sweep();
    void sweep();
    void end_if_empty();
    template <class Visit>
    void for_each(Visit visit);

    ServerCore& core_;
    const int number_;
    boost::asio::io_context context_;
    std::optional<boost::asio::executor_work_guard<Executor>> work_;
    SweepTimer sweep_timer_;
    const Milliseconds sweep_interval_;
    const std::shared_ptr<Mailbox> mailbox_;
    TimerCache timers_;
    IdGenerator ids_;
    DateLine date_;
    std::vector<std::shared_ptr<Connection>> connections_;
    bool draining_ = false;
};

}  // namespace adtally::http
