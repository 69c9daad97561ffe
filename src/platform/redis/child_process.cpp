#include "platform/redis/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace adtally::redis {

namespace {

// Without a pidfd the child's end is looked for this often.
constexpr Milliseconds poll_without_pidfd{20};

Error system_error(std::string_view what, int number) {
    return Error{ErrorCode::unavailable, fmt::format("{}: {}", what, std::strerror(number))};
}

// Runs between fork and exec: async-signal-safe calls only, no allocation.
[[noreturn]] void become(const char* path, char* const* arguments, int output, int report,
                         const ChildOptions& options, pid_t parent) {
    ::setpgid(0, 0);
    if (options.signal_on_parent_death != 0)
        ::prctl(PR_SET_PDEATHSIG, options.signal_on_parent_death);
    if (::getppid() != parent)
        ::_exit(127);  // it died before prctl could tell us
    const int null = ::open("/dev/null", O_RDONLY);
    if (null >= 0)
        ::dup2(null, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    if (options.inherited >= 0)
        ::fcntl(options.inherited, F_SETFD, 0);

    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number)
        ::sigaction(number, &standard, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);

    ::execv(path, arguments);
    const int number = errno;
    [[maybe_unused]] const ssize_t written = ::write(report, &number, sizeof number);
    ::_exit(127);
}

// The errno of a failed exec; 0 when it succeeded, which closes the pipe.
int exec_error(int report) {
    int number = 0;
    ssize_t count = 0;
    do {
        count = ::read(report, &number, sizeof number);
    } while (count < 0 && errno == EINTR);
    return count == static_cast<ssize_t>(sizeof number) ? number : 0;
}

// Signals of ours must not run their handlers in the child, which shares our descriptors.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

private:
    sigset_t before_;
};

std::string describe(int status) {
    if (WIFSIGNALED(status))
        return fmt::format("was killed by signal {}", WTERMSIG(status));
    return fmt::format("exited with status {}", WEXITSTATUS(status));
}

void reap(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool is_executable(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

void Descriptor::reset() {
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
}

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
    const std::string path = options.executable.string();
    std::vector<std::string> words{path};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);

    Descriptor output{
        ::open(options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
    if (!output)
        return system_error(fmt::format("cannot write {}", options.output.string()), errno);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return system_error("cannot make a pipe", errno);
    Descriptor read_end{ends[0]};
    Descriptor write_end{ends[1]};

    const pid_t parent = ::getpid();
    pid_t pid = 0;
    {
        BlockedSignals blocked;
        pid = ::fork();
        if (pid == 0)
            become(path.c_str(), arguments.data(), output.get(), write_end.get(), options, parent);
    }
    if (pid < 0)
        return system_error(fmt::format("cannot start {}", path), errno);
    write_end.reset();
    if (const int number = exec_error(read_end.get()); number != 0) {
        reap(pid);
        return system_error(fmt::format("cannot start {}", path), number);
    }
    return ChildProcess{pid, Descriptor{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))}};
}

ChildProcess::~ChildProcess() {
    if (pid_ == 0 || ended())
        return;
    signal(SIGKILL);
    reap(pid_);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      ended_(std::move(other.ended_)) {}

bool ChildProcess::signal(int number) {
    // Not reaped yet means that the kernel still keeps the id for our child.
    return !ended() && ::kill(pid_, number) == 0;
}

std::optional<std::string> ChildProcess::ended() {
    if (ended_)
        return ended_;
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped == pid_)
        ended_ = describe(status);
    else if (reaped < 0 && errno == ECHILD)
        ended_ = "ended";  // SIGCHLD is ignored by this process: the kernel reaped it
    return ended_;
}

std::optional<std::string> ChildProcess::wait(Milliseconds span) {
    const Deadline deadline = Deadline::after(span);
    while (!ended() && !deadline.passed()) {
        const Milliseconds left = deadline.left() + Milliseconds{1};
        pollfd watched{pidfd_.get(), POLLIN, 0};
        const Milliseconds pause = pidfd_ ? left : std::min(left, poll_without_pidfd);
        ::poll(&watched, pidfd_ ? 1 : 0, static_cast<int>(pause.count()));
    }
    return ended();
}

std::filesystem::path find_executable(std::string_view name) {
    if (name.find('/') != std::string_view::npos)
        return is_executable(name) ? std::filesystem::path{name} : std::filesystem::path{};
    // tidy: allow(environment): looking a program up in PATH is what this function is for
    const char* variable = std::getenv("PATH");
    std::string_view rest = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        const std::filesystem::path candidate = std::filesystem::path{rest.substr(0, end)} / name;
        if (is_executable(candidate))
            return candidate;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
}

}  // namespace adtally::redis
