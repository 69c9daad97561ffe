// See loop.hpp.
#include "platform/http/loop.hpp"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/assert.hpp"

namespace adtally::http {

namespace asio = boost::asio;

namespace {

Milliseconds sweep_interval_of(const ServerOptions& options) {
    Milliseconds shortest = std::min({options.header_timeout, options.body_timeout,
                                      options.idle_timeout, options.write_timeout});
    return std::clamp(shortest / 4, Milliseconds{5}, Milliseconds{250});
}

}  // namespace

Loop::Loop(ServerCore& core, int number)
    : core_(core),
      number_(number),
      context_(1),
      work_(asio::make_work_guard(context_)),
      sweep_timer_(context_),
      sweep_interval_(sweep_interval_of(core.options)),
      mailbox_(std::make_shared<Mailbox>(context_)),
      timers_(core) {}

Loop::~Loop() {
    mailbox_->close();
}

void Loop::run() {
    std::string name = core_.options.thread_name + "-" + std::to_string(number_);
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    mailbox_->enter();
    arm_sweep();
    context_.run();
    ADTALLY_ASSERT(connections_.empty());
    mailbox_->close();
    mailbox_->leave();
}

void Loop::adopt(Socket socket, const IpAddress& peer, std::optional<Refusal> refusal) {
    asio::post(context_, [this, socket = std::move(socket), peer, refusal]() mutable {
        add(std::move(socket), peer, refusal);
    });
}

void Loop::add(Socket socket, const IpAddress& peer, std::optional<Refusal> refusal) {
    boost::system::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    auto connection = std::make_shared<Connection>(*this, std::move(socket), peer);
    connection->place_in_loop = connections_.size();
    connections_.push_back(connection);
    connection->start(refusal);
    if (draining_)
        connection->drain();
}

void Loop::remove(Connection& connection) {
    std::size_t place = connection.place_in_loop;
    ADTALLY_ASSERT(connections_[place].get() == &connection);
    connections_.back()->place_in_loop = place;
    std::swap(connections_[place], connections_.back());
    connections_.pop_back();
    end_if_empty();
}

// From the last to the first, because a visit may remove the one it visits.
template <class Visit>
void Loop::for_each(Visit visit) {
    for (std::size_t i = connections_.size(); i-- > 0;) {
        if (i >= connections_.size())
            continue;
        std::shared_ptr<Connection> connection = connections_[i];
        visit(*connection);
    }
}

void Loop::arm_sweep() {
    sweep_timer_.expires_after(sweep_interval_);
    sweep_timer_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec)
            sweep();
    });
}

void Loop::sweep() {
    SteadyTime now = std::chrono::steady_clock::now();
    for_each([now](Connection& connection) { connection.check_deadline(now); });
    if (work_)
        arm_sweep();
}

void Loop::begin_drain() {
    asio::post(context_, [this] {
        draining_ = true;
        for_each([](Connection& connection) { connection.drain(); });
        end_if_empty();
    });
}

void Loop::close_all() {
    asio::post(context_, [this] {
        draining_ = true;
        for_each([](Connection& connection) { connection.close(); });
        end_if_empty();
    });
}

void Loop::end_if_empty() {
    if (!draining_ || !connections_.empty())
        return;
    work_.reset();
    sweep_timer_.cancel();
    mailbox_->stop_listening();
}

}  // namespace adtally::http
