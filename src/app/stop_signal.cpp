#include "app/stop_signal.hpp"

#include <pthread.h>
#include <unistd.h>
#include <csignal>

namespace adtally::app {
namespace {

sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

void block_signals() {
    sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

void wait_for_stop(const std::function<void()>& reload) {
    sigset_t set = handled_signals();
    while (true) {
        int taken = 0;
        if (sigwait(&set, &taken) != 0)
            return;
        if (taken == SIGHUP) {
            reload();
            continue;
        }
        // Impatience is an operator's right: the second one is not held back any more.
        sigdelset(&set, SIGHUP);
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
        return;
    }
}

bool stop_is_pending() {
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

void request_stop() {
    ::kill(::getpid(), SIGTERM);
}

}  // namespace adtally::app
