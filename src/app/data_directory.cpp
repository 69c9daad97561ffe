#include "app/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace adtally::app {
namespace {

void pause_briefly() {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, Milliseconds{50});
}

bool try_lock(int file, Deadline deadline) {
    while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        if (deadline.passed())
            return false;
        pause_briefly();
    }
    return true;
}

}  // namespace

DataDirectory::DataDirectory(std::filesystem::path path, Milliseconds patience)
    : path_(std::move(path)) {
    std::error_code failed;
    std::filesystem::create_directories(path_, failed);
    if (failed)
        throw std::runtime_error("data directory " + path_.string() + " cannot be made: " +
                                 failed.message() + "; choose another with --data-dir");
    std::string name = (path_ / "LOCK").string();
    lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_ < 0)
        throw std::runtime_error("data directory " + path_.string() + " is not writable: " +
                                 std::strerror(errno) + "; choose another with --data-dir");
    if (!try_lock(lock_, Deadline::after(patience))) {
        ::close(lock_);
        throw std::runtime_error("data directory " + path_.string() +
                                 " is in use by another adtally (or the Redis it left behind); "
                                 "stop it, or choose another with --data-dir");
    }
}

DataDirectory::~DataDirectory() {
    ::close(lock_);
}

}  // namespace adtally::app
