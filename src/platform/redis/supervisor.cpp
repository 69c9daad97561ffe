// The thread's life: launch, watch until it ends, restart, and on stop() end the child. The child's
// end, stop() and time are waited for in one poll(); only an unanswered PING delays stop(), by a
// second.
#include "platform/redis/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "platform/redis/append_only_tail.hpp"
#include "platform/redis/child_process.hpp"
#include "platform/redis/port_check.hpp"
#include "platform/redis/server_arguments.hpp"
#include "platform/redis/server_log.hpp"

namespace adtally::redis {

namespace {

constexpr Milliseconds look_again_after{25};  // while it starts
constexpr Milliseconds port_again_after{50};  // while another holds the port
constexpr Milliseconds unknown_occupant{1'000};
constexpr Milliseconds after_sigkill{10'000};
constexpr Milliseconds look_without_pidfd{20};

Error not_installed(const std::string& executable) {
    return Error{ErrorCode::unavailable,
                 fmt::format("{} is not installed; install it with: apt-get install redis-server "
                             "(or use an existing one with --redis-url redis://HOST:PORT)",
                             executable)};
}

}  // namespace

class Supervisor::Impl {
public:
    explicit Impl(SupervisorOptions options);
    ~Impl() { stop(); }

    // Once: waits for the first start.
    Status started() { return first_start_.get_future().get(); }
    SupervisorHealth health() const;
    void stop();
    const SupervisorOptions& options() const { return options_; }

private:
    enum class Woken : std::uint8_t { stop, child_ended, time };
    enum class Ending : std::uint8_t { stop, child_ended, not_ready_in_time, abandoned };

    void run();
    void run_until_stopped();
    Status launch();
    bool abandoned() const { return !announced_ && options_.abandon && options_.abandon(); }
    void give_up_start();
    Status prepare_directory();
    Status wait_for_port();
    Ending watch();
    void look(Client& client);
    Status answers(Client& client);
    bool restart();
    void end_child();
    Woken wait(Milliseconds span);
    void set_down(std::string reason);
    void event(std::string_view name, std::string_view detail) const;

    const SupervisorOptions options_;
    ServerLog log_;
    Descriptor stop_requested_;
    std::promise<Status> first_start_;

    // Of the supervisor's thread.
    std::optional<ChildProcess> child_;
    bool announced_ = false;      // the first start has succeeded
    bool ready_ = false;          // this child has answered
    bool loading_ = false;        // this child has said that it loads
    bool heard_loading_ = false;  // its last answer was that
    SteadyTime ready_since_{};
    Milliseconds backoff_;

    mutable std::mutex health_mutex_;
    SupervisorHealth health_;

    std::mutex stop_mutex_;
    std::thread thread_;
};

Supervisor::Impl::Impl(SupervisorOptions options)
    : options_(std::move(options)),
      log_(options_.directory / "redis.log"),
      stop_requested_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      backoff_(options_.restart_backoff_min) {
    if (!stop_requested_)
        throw std::runtime_error(
            "cannot supervise redis-server: no file descriptor is left; "
            "raise ulimit -n");
    health_.reason = "starting";
    thread_ = std::thread([this] { run(); });
}

SupervisorHealth Supervisor::Impl::health() const {
    const std::lock_guard lock{health_mutex_};
    return health_;
}

void Supervisor::Impl::stop() {
    ::eventfd_write(stop_requested_.get(), 1);
    const std::lock_guard lock{stop_mutex_};
    if (thread_.joinable())
        thread_.join();
}

void Supervisor::Impl::event(std::string_view name, std::string_view detail) const {
    if (options_.on_event)
        options_.on_event(name, detail);
}

void Supervisor::Impl::set_down(std::string reason) {
    const std::lock_guard lock{health_mutex_};
    health_.up = false;
    health_.reason = std::move(reason);
    health_.pid = child_ ? child_->pid() : 0;
}

void Supervisor::Impl::run() {
    ::pthread_setname_np(::pthread_self(), "redis-super");
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);

    if (Status launched = launch(); !launched) {
        set_down(launched.error().message);
        if (abandoned())
            give_up_start();
        else
            first_start_.set_value(launched);
        return;
    }
    run_until_stopped();
    end_child();
}

void Supervisor::Impl::run_until_stopped() {
    for (;;) {
        const Ending ending = watch();
        if (announced_ && ending == Ending::child_ended) {
            if (!restart())
                return;
            continue;
        }
        if (announced_)
            return;  // stop: the other endings belong to the first start alone
        if (ending == Ending::abandoned) {
            give_up_start();
            return;
        }
        const std::string how = child_->ended().value_or(fmt::format(
            "did not answer within {} ms ({})", options_.start_timeout.count(), health().reason));
        const std::string words = log_.last_words();
        first_start_.set_value(
            Error{ErrorCode::unavailable,
                  fmt::format("redis-server does not start: it {}; last words: {}; {}", how, words,
                              remedy(words, options_.directory, log_.path()))});
        return;
    }
}

void Supervisor::Impl::give_up_start() {
    first_start_.set_exception(std::make_exception_ptr(
        StartAbandoned("stopped while redis-server was starting; nothing is lost")));
}

// A child, or why there is none. Nobody else's process is touched.
Status Supervisor::Impl::launch() {
    const std::filesystem::path executable = find_executable(options_.executable);
    if (executable.empty())
        return not_installed(options_.executable);
    ADTALLY_TRY(prepare_directory());
    ADTALLY_TRY(wait_for_port());
    ADTALLY_TRY(auto torn, cut_torn_tail(options_.directory));
    if (torn > 0)
        event("redis_torn_tail", fmt::format("{} bytes of an unfinished write cut off", torn));
    log_.begin_run();
    ADTALLY_TRY(auto child,
                ChildProcess::start(ChildOptions{executable, server_arguments(options_),
                                                 log_.path(), SIGTERM, options_.lock_descriptor}));
    child_.emplace(std::move(child));
    ready_ = false;
    set_down("starting");
    event("redis_started", fmt::format("pid {}, port {}", child_->pid(), options_.port));
    return ok();
}

Status Supervisor::Impl::prepare_directory() {
    std::error_code error;
    std::filesystem::create_directories(options_.directory, error);
    if (error)
        return Error{ErrorCode::unavailable,
                     fmt::format("cannot make the directory {}: {}; choose another with --data-dir",
                                 options_.directory.string(), error.message())};
    return ok();
}

// A redis-server of the same directory may still be ending, after its owner was killed.
Status Supervisor::Impl::wait_for_port() {
    const Deadline same_directory = Deadline::after(options_.port_timeout);
    const Deadline unknown = Deadline::after(std::min(unknown_occupant, options_.port_timeout));
    for (bool waited = false;; waited = true) {
        const int error = listening_error(options_.port);
        if (error == 0)
            return ok();
        if (error != EADDRINUSE)
            return Error{ErrorCode::unavailable,
                         fmt::format("cannot listen on port {}: {}; move all ports with "
                                     "--port-offset N",
                                     options_.port, std::strerror(error))};
        const Occupant occupant = find_occupant(options_.port, options_.directory);
        const bool may_end =
            occupant == Occupant::same_directory ? !same_directory.passed() : !unknown.passed();
        if (occupant == Occupant::other_redis || !may_end)
            return Error{ErrorCode::conflict,
                         port_in_use(options_.port, occupant, options_.directory)};
        if (!waited)
            event("redis_waiting_for_port", fmt::format("port {}", options_.port));
        if (wait(port_again_after) == Woken::stop || abandoned())
            return Error{ErrorCode::unavailable, "stopped while waiting for the port"};
    }
}

Supervisor::Impl::Ending Supervisor::Impl::watch() {
    ClientOptions client_options;
    client_options.endpoint.port = options_.port;
    client_options.connect_timeout = Milliseconds{1'000};
    client_options.command_timeout = Milliseconds{1'000};
    Client client{client_options};
    Deadline ready_by = Deadline::after(options_.start_timeout);
    loading_ = heard_loading_ = false;
    for (;;) {
        switch (wait(ready_ ? options_.ping_interval : look_again_after)) {
            case Woken::stop:
                return Ending::stop;
            case Woken::child_ended:
                return Ending::child_ended;
            case Woken::time:
                look(client);
        }
        if (announced_)
            continue;
        if (abandoned())
            return Ending::abandoned;
        // How long a file takes to load is its size's affair; one that loads is not stuck.
        if (heard_loading_)
            ready_by = Deadline::after(options_.start_timeout);
        if (ready_by.passed())
            return Ending::not_ready_in_time;
    }
}

void Supervisor::Impl::look(Client& client) {
    const bool was_up = health().up;
    if (Status answer = answers(client); !answer) {
        heard_loading_ = answer.error().message.find("LOADING ") != std::string::npos;
        if (heard_loading_ && !std::exchange(loading_, true))
            event("redis_loading", "reading its append-only file; a large one takes a while");
        set_down(answer.error().message);
        if (was_up)
            event("redis_not_answering", answer.error().message);
        return;
    }
    if (!ready_)
        ready_since_ = std::chrono::steady_clock::now();
    ready_ = true;
    {
        const std::lock_guard lock{health_mutex_};
        health_.up = true;
        health_.reason.clear();
        health_.pid = child_->pid();
    }
    if (!was_up)
        event("redis_ready", fmt::format("pid {}, port {}", child_->pid(), options_.port));
    if (!std::exchange(announced_, true))
        first_start_.set_value(ok());
}

// Until it has been ready it must also say our child's process id: another redis-server may have
// taken the port in the meantime.
Status Supervisor::Impl::answers(Client& client) {
    ADTALLY_TRY(Reply pong, client.command({"PING"}));
    if (pong.is_error())
        return Error{ErrorCode::unavailable, pong.text};
    if (ready_)
        return ok();
    ADTALLY_TRY(Reply info, client.command({"INFO", "server"}));
    if (info.text.find(fmt::format("process_id:{}\r", child_->pid())) == std::string::npos)
        return Error{ErrorCode::unavailable,
                     fmt::format("port {} is answered by another redis-server", options_.port)};
    return ok();
}

// False: stop was requested.
bool Supervisor::Impl::restart() {
    const bool was_healthy =
        ready_ && std::chrono::steady_clock::now() - ready_since_ >= options_.backoff_reset_after;
    if (was_healthy)
        backoff_ = options_.restart_backoff_min;
    const std::string words = log_.last_words();
    std::string reason = fmt::format("redis-server (pid {}) {}; last words: {}; {}", child_->pid(),
                                     child_->ended().value_or("ended"), words,
                                     remedy(words, options_.directory, log_.path()));
    child_.reset();
    event("redis_ended", reason);
    for (;;) {
        set_down(fmt::format("{}; starting it again after {} ms", reason, backoff_.count()));
        if (wait(backoff_) == Woken::stop)
            return false;
        backoff_ = std::min(backoff_ * 2, options_.restart_backoff_max);
        const Status launched = launch();
        if (launched)
            break;
        reason = launched.error().message;
        event("redis_start_failed", reason);
    }
    const std::lock_guard lock{health_mutex_};
    ++health_.restarts;
    return true;
}

void Supervisor::Impl::end_child() {
    if (child_) {
        const pid_t pid = child_->pid();
        child_->signal(SIGTERM);
        if (!child_->wait(options_.stop_timeout)) {
            event("redis_killed",
                  fmt::format("pid {} did not stop in {} ms", pid, options_.stop_timeout.count()));
            child_->signal(SIGKILL);
            child_->wait(after_sigkill);
        }
        event("redis_stopped",
              fmt::format("pid {} {}", pid, child_->ended().value_or("does not end")));
        child_.reset();
    }
    set_down("stopped");
}

Supervisor::Impl::Woken Supervisor::Impl::wait(Milliseconds span) {
    const Deadline deadline = Deadline::after(span);
    const int child = child_ ? child_->descriptor() : -1;
    for (;;) {
        const Milliseconds left =
            deadline.passed() ? Milliseconds{0} : deadline.left() + Milliseconds{1};
        const bool unseen_child = child_ && child < 0;
        const Milliseconds pause = unseen_child ? std::min(left, look_without_pidfd) : left;
        pollfd watched[] = {{stop_requested_.get(), POLLIN, 0}, {child, POLLIN, 0}};
        ::poll(watched, 2, static_cast<int>(pause.count()));
        if ((watched[0].revents & POLLIN) != 0)
            return Woken::stop;
        if (child_ && child_->ended())
            return Woken::child_ended;
        if (deadline.passed())
            return Woken::time;
    }
}

Supervisor::Supervisor(SupervisorOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {
    if (const Status started = impl_->started(); !started)
        throw std::runtime_error(started.error().message);
}

Supervisor::~Supervisor() = default;

Endpoint Supervisor::endpoint() const {
    Endpoint endpoint;
    endpoint.port = impl_->options().port;
    return endpoint;
}

SupervisorHealth Supervisor::health() const {
    return impl_->health();
}

void Supervisor::stop() {
    impl_->stop();
}

}  // namespace adtally::redis
