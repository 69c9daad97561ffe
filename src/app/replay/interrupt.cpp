#include "app/replay/interrupt.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/assert.hpp"

namespace adtally::replay {
namespace {

sigset_t the_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

Interrupt::Interrupt() {
    sigset_t set = the_signals();
    pthread_sigmask(SIG_BLOCK, &set, &before_);
    signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
    ended_ = ::eventfd(0, EFD_CLOEXEC);
    ADTALLY_ASSERT(signals_ >= 0 && ended_ >= 0);
    watcher_ = std::thread([this] { watch(); });
}

Interrupt::~Interrupt() {
    std::uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(ended_, &one, sizeof one);
    watcher_.join();
    ::close(signals_);
    ::close(ended_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interrupt::watch() {
    std::array<pollfd, 2> files{pollfd{signals_, POLLIN, 0}, pollfd{ended_, POLLIN, 0}};
    for (;;) {
        ::poll(files.data(), files.size(), -1);
        if (files[1].revents != 0) {
            return;
        }
        signalfd_siginfo info{};
        if (files[0].revents == 0 || ::read(signals_, &info, sizeof info) != sizeof info) {
            continue;
        }
        if (stop_.stop_requested()) {
            ::_exit(128 + static_cast<int>(info.ssi_signo));
        }
        stop_.request_stop();
    }
}

}  // namespace adtally::replay
