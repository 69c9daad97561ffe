// Start and stop of a server: see server.hpp and README.md.
//
// Stop, in order: take what waits in the accept queue and close the port; tell every loop to drain;
// wait for the loops' threads to end by themselves; at the deadline close what is left; join.
#include "platform/http/server.hpp"

#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/assert.hpp"
#include "platform/http/acceptor.hpp"
#include "platform/http/loop.hpp"
#include "platform/http/server_core.hpp"

namespace adtally::http {

namespace {

std::vector<std::unique_ptr<Loop>> make_loops(ServerCore& core) {
    ADTALLY_ASSERT(core.options.io_threads >= 1);
    std::vector<std::unique_ptr<Loop>> loops;
    for (int i = 0; i < core.options.io_threads; ++i)
        loops.push_back(std::make_unique<Loop>(core, i));
    return loops;
}

}  // namespace

class Server::Impl {
public:
    Impl(ServerOptions options, Router router, observability::MetricRegistry& metrics)
        : core_(std::move(options), std::move(router), metrics),
          loops_(make_loops(core_)),
          acceptor_(core_, loops_) {}

    void start() {
        std::lock_guard lock(stop_mutex_);
        ADTALLY_ASSERT(threads_.empty() && !stopped_);
        running_ = loops_.size();
        acceptor_.start();
        for (std::unique_ptr<Loop>& loop : loops_) {
            threads_.emplace_back([this, &loop] {
                loop->run();
                std::lock_guard end_lock(end_mutex_);
                --running_;
                ended_.notify_all();
            });
        }
        core_.logger.info("http server started",
                          {{"port", std::int64_t{acceptor_.port()}},
                           {"io_threads", std::int64_t{core_.options.io_threads}}});
    }

    void stop(Deadline deadline) {
        std::lock_guard lock(stop_mutex_);
        if (stopped_)
            return;
        stopped_ = true;
        if (threads_.empty())
            return acceptor_.close();
        boost::asio::post(loops_.front()->context(), [this] {
            acceptor_.stop();
            // Behind connections that were accepted but not yet handed on.
            boost::asio::post(loops_.front()->context(), [this] {
                for (std::unique_ptr<Loop>& loop : loops_)
                    loop->begin_drain();
            });
        });
        if (!all_ended(deadline)) {
            core_.logger.warn("closing connections that did not finish in time",
                              {{"connections", static_cast<std::int64_t>(core_.connections)},
                               {"in_flight", static_cast<std::int64_t>(core_.in_flight)}});
            boost::asio::post(loops_.front()->context(), [this] {
                for (std::unique_ptr<Loop>& loop : loops_)
                    loop->close_all();
            });
        }
        for (std::thread& thread : threads_)
            thread.join();
        core_.logger.info("http server stopped");
    }

    std::uint16_t port() const { return acceptor_.port(); }

private:
    bool all_ended(Deadline deadline) {
        std::unique_lock lock(end_mutex_);
        return ended_.wait_until(lock, deadline.at(), [this] { return running_ == 0; });
    }

    ServerCore core_;
    std::vector<std::unique_ptr<Loop>> loops_;
    Acceptor acceptor_;
    std::vector<std::thread> threads_;
    std::mutex stop_mutex_;
    bool stopped_ = false;
    std::mutex end_mutex_;
    std::condition_variable ended_;
    std::size_t running_ = 0;
};

Server::Server(ServerOptions options, Router router, observability::MetricRegistry& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(router), metrics)) {}

Server::~Server() {
    impl_->stop(Deadline{std::chrono::steady_clock::now()});
}

void Server::start() {
    impl_->start();
}

std::uint16_t Server::port() const {
    return impl_->port();
}

void Server::stop(Deadline deadline) {
    impl_->stop(deadline);
}

}  // namespace adtally::http
