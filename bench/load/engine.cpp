#include "load/engine.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.hpp"

namespace adtally::load {
namespace {

constexpr std::chrono::milliseconds reconnect_pause{100};
constexpr std::chrono::milliseconds check_interval{50};
constexpr std::size_t buffer_bytes = 262'144;

Moment now_() {
    return std::chrono::steady_clock::now();
}

Nanoseconds to_nanoseconds(std::chrono::duration<double> span) {
    return std::chrono::duration_cast<Nanoseconds>(span);
}

timespec to_timespec(Nanoseconds span) {
    return {static_cast<time_t>(span.count() / 1'000'000'000),
            static_cast<long>(span.count() % 1'000'000'000)};
}

}  // namespace

Engine::Engine(EngineOptions options, Requests& requests)
    : options_(std::move(options)), requests_(requests), buffer_(buffer_bytes) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    ADTALLY_ASSERT(epoll_ >= 0);
    for (std::size_t i = 0; i < options_.connections; ++i) {
        connections_.push_back(std::make_unique<Connection>());
    }
}

Engine::~Engine() {
    for (auto& connection : connections_) {
        if (connection->file >= 0) {
            ::close(connection->file);
        }
    }
    ::close(epoll_);
}

void Engine::plan(Moment now) {
    schedule_ = Schedule{now, options_.per_second};
    begin_ = now + to_nanoseconds(options_.warmup);
    end_ = begin_ + to_nanoseconds(options_.duration);
    last_answer_ = begin_;
    if (!options_.closed) {
        warmup_count_ = schedule_.count_before(begin_);
        total_ = schedule_.count_before(end_);
        if (options_.most_requests > 0) {
            total_ = std::min(total_, warmup_count_ + options_.most_requests);
        }
    }
}

Result<EngineResult> Engine::run() {
    Moment patience = now_() + options_.timeout;
    next_check_ = now_();
    while (!ever_connected_) {  // the schedule starts when there is someone to talk to
        check_deadlines(now_());
        poll(now_() + check_interval);
        if (now_() > patience) {
            return Error{ErrorCode::unavailable, "no connection; is the server running?"};
        }
    }
    plan(now_());
    for (Moment now = now_(); !finished(now); now = now_()) {
        if (!measuring_ && now >= begin_) {
            measuring_ = true;
            options_.measuring_begins();
        }
        check_deadlines(now);
        start_due(now);
        Moment wake = next_check_;
        if (!options_.closed && next_ < total_ && !idle_.empty()) {
            wake = std::min(wake, schedule_.due(next_));
        }
        poll(wake);
    }
    if (!measuring_) {
        options_.measuring_begins();
    }
    options_.measuring_ends();
    std::uint64_t unsent = options_.closed ? 0 : total_ - std::max(next_, warmup_count_);
    if (unsent > 0) {
        result_.requests += unsent;
        result_.errors["unsent"] += unsent;
    }
    result_.seconds = std::chrono::duration<double>(last_answer_ - begin_).count();
    return result_;
}

bool Engine::finished(Moment now) {
    if (now >= end_ + options_.timeout) {
        for (auto& connection : connections_) {
            if (connection->stage == Stage::busy) {
                fail(*connection, "timeout", now);
            }
        }
        return true;
    }
    bool enough =
        options_.closed && options_.most_requests > 0 && started_ >= options_.most_requests;
    bool all_started = options_.closed ? enough || now >= end_ : next_ >= total_;
    return all_started && busy_ == 0;
}

void Engine::start_due(Moment now) {
    while (!idle_.empty()) {
        if (options_.closed) {
            bool enough = options_.most_requests > 0 && started_ >= options_.most_requests;
            if (now >= end_ || enough) {
                return;
            }
        } else if (next_ >= total_ || schedule_.due(next_) > now) {
            return;
        }
        Connection& connection = *idle_.front();
        idle_.pop_front();
        if (options_.closed) {
            started_ += measuring_ ? 1 : 0;
            start(connection, now, measuring_, now);
        } else {
            start(connection, schedule_.due(next_), next_ >= warmup_count_, now);
            ++next_;
        }
    }
}

void Engine::start(Connection& connection, Moment since, bool measured, Moment now) {
    requests_.next(SystemClock{}.wall(), connection.out);
    connection.sent = 0;
    connection.since = since;
    connection.deadline = now + options_.timeout;
    connection.measured = measured;
    connection.answer.reset();
    connection.stage = Stage::busy;
    ++busy_;
    result_.requests += measured ? 1 : 0;
    write(connection);
}

void Engine::write(Connection& connection) {
    while (connection.sent < connection.out.size()) {
        ssize_t count = ::send(connection.file, connection.out.data() + connection.sent,
                               connection.out.size() - connection.sent, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                watch(connection, EPOLLIN | EPOLLOUT, false);
                connection.wants_write = true;
                return;
            }
            fail(connection, "connection", now_());
            return;
        }
        connection.sent += static_cast<std::size_t>(count);
    }
    if (connection.wants_write) {
        connection.wants_write = false;
        watch(connection, EPOLLIN, false);
    }
}

void Engine::open(Connection& connection, Moment now) {
    connection.file = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection.file < 0) {
        connection.reconnect = now + reconnect_pause;
        return;
    }
    int on = 1;
    ::setsockopt(connection.file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection.stage = Stage::connecting;
    connection.deadline = now + options_.timeout;
    connection.wants_write = false;
    int made = ::connect(connection.file, reinterpret_cast<const sockaddr*>(&options_.server),
                         sizeof options_.server);
    if (made != 0 && errno != EINPROGRESS) {
        close(connection, now);
        return;
    }
    watch(connection, EPOLLOUT, true);
}

void Engine::close(Connection& connection, Moment now) {
    ADTALLY_ASSERT(connection.stage != Stage::busy);
    if (connection.stage == Stage::idle) {
        std::erase(idle_, &connection);
    }
    ::close(connection.file);
    connection.file = -1;
    connection.stage = Stage::closed;
    connection.reconnect = now + reconnect_pause;
}

void Engine::fail(Connection& connection, const char* reason, Moment now) {
    if (connection.stage == Stage::busy) {
        --busy_;
        if (connection.measured) {
            result_.errors[reason] += 1;
            last_answer_ = std::max(last_answer_, now);
        }
        connection.stage = Stage::connecting;
    }
    close(connection, now);
}

void Engine::watch(Connection& connection, std::uint32_t events, bool add) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.file, &event);
}

void Engine::become_idle(Connection& connection) {
    connection.stage = Stage::idle;
    idle_.push_back(&connection);
}

void Engine::on_event(Connection& connection, std::uint32_t events) {
    if (connection.stage == Stage::connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(connection.file, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0 || (events & (EPOLLERR | EPOLLHUP)) != 0) {
            close(connection, now_());
            return;
        }
        ever_connected_ = true;
        watch(connection, EPOLLIN, false);
        become_idle(connection);
        return;
    }
    if ((events & EPOLLOUT) != 0 && connection.stage == Stage::busy) {
        write(connection);
    }
    bool readable = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    if (readable && connection.stage != Stage::closed) {
        on_readable(connection);
    }
}

void Engine::on_readable(Connection& connection) {
    ssize_t count = ::recv(connection.file, buffer_.data(), buffer_.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return;
    }
    if (count <= 0 || connection.stage == Stage::idle) {
        fail(connection, "connection", now_());
        return;
    }
    switch (connection.answer.feed({buffer_.data(), static_cast<std::size_t>(count)})) {
        case Answer::State::incomplete:
            return;
        case Answer::State::malformed:
            fail(connection, "malformed", now_());
            return;
        case Answer::State::complete:
            complete(connection);
            return;
    }
}

void Engine::complete(Connection& connection) {
    Moment now = now_();
    --busy_;
    if (connection.measured) {
        int status = connection.answer.status();
        result_.statuses[status] += 1;
        last_answer_ = now;
        if (status >= 200 && status < 300) {
            long accepted = connection.answer.accepted();
            auto batch = static_cast<long>(options_.batch);
            long rejected = accepted < 0 || accepted > batch ? 0 : batch - accepted;
            result_.acknowledged += 1;
            result_.events += static_cast<std::uint64_t>(batch - rejected);
            result_.rejected_events += static_cast<std::uint64_t>(rejected);
            auto waited =
                std::chrono::duration_cast<std::chrono::microseconds>(now - connection.since);
            result_.ack.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, waited.count())));
        }
    }
    connection.stage = Stage::connecting;
    if (connection.answer.closes()) {
        close(connection, now);
        connection.reconnect = now;
        next_check_ = now;
    } else {
        become_idle(connection);
    }
}

void Engine::check_deadlines(Moment now) {
    if (now < next_check_) {
        return;
    }
    next_check_ = now + check_interval;
    for (auto& connection : connections_) {
        if (connection->stage == Stage::closed && now >= connection->reconnect) {
            open(*connection, now);
        } else if (connection->stage == Stage::busy && now >= connection->deadline) {
            fail(*connection, "timeout", now);
        } else if (connection->stage == Stage::connecting && now >= connection->deadline) {
            close(*connection, now);
        }
    }
}

void Engine::poll(Moment until) {
    Moment now = now_();
    if (!options_.closed && now < next_round_) {
        timespec pause = to_timespec(next_round_ - now);
        ::ppoll(nullptr, 0, &pause, nullptr);
        now = now_();
    }
    timespec wait = to_timespec(std::max(Nanoseconds{0}, until - now));
    std::array<epoll_event, 1'024> events;
    int count =
        ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
    next_round_ = now_() + options_.tick;
    for (int i = 0; i < count; ++i) {
        on_event(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr),
                 events[static_cast<std::size_t>(i)].events);
    }
}

}  // namespace adtally::load
