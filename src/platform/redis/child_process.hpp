// A child process that cannot outlive us, started from a program with many threads.
//
// Problem. fork() in a process with threads leaves the child with one thread and every lock in an
// unknown state; descriptors, signal masks and handlers are inherited; a parent that is killed
// leaves orphans.
// Design. Everything is prepared before fork(); the child calls only async-signal-safe functions:
// own process group, PR_SET_PDEATHSIG, descriptors from 3 on but one closed at exec, default
// signals, exec.
// A failed exec is reported over a pipe. The child is watched through a pidfd, so nothing depends
// on SIGCHLD and a reused process id is never signalled.
//
// Threads: PR_SET_PDEATHSIG fires when the *thread* that forked ends. Start a child from a thread
// that lives at least as long as the child is wanted. An object is used by one thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::redis {

// An owned file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset();

private:
    int fd_ = -1;
};

struct ChildOptions {
    std::filesystem::path executable;    // not looked up in PATH
    std::vector<std::string> arguments;  // without argv[0]
    std::filesystem::path output;        // standard output and error are appended to it
    int signal_on_parent_death = 0;
    int inherited = -1;  // a descriptor that the child keeps: a lock that must outlive us
};

class ChildProcess {
public:
    static Result<ChildProcess> start(const ChildOptions& options);
    // A child that still runs is killed and reaped.
    ~ChildProcess();
    ChildProcess(ChildProcess&&) noexcept;

    pid_t pid() const { return pid_; }
    // Readable once the child has ended; -1 where the kernel has no pidfd.
    int descriptor() const { return pidfd_.get(); }
    // False when it has already ended.
    bool signal(int number);
    // Reaps it. Nothing: it still runs.
    std::optional<std::string> ended();
    // How it ended ("exited with status 1", "was killed by signal 9"), or nothing after `span`.
    std::optional<std::string> wait(Milliseconds span);

private:
    ChildProcess(pid_t pid, Descriptor pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

    pid_t pid_ = 0;
    Descriptor pidfd_;
    std::optional<std::string> ended_;
};

// As a shell looks it up: a name with a slash as it is, any other along PATH. Empty: not found.
std::filesystem::path find_executable(std::string_view name);

}  // namespace adtally::redis
