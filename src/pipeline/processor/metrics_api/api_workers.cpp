#include "pipeline/processor/metrics_api/api_workers.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <utility>

namespace adtally::metrics_api {

ApiWorkers::ApiWorkers(redis::ClientOptions options, int threads, std::size_t queue_limit)
    : options_(std::move(options)), queue_limit_(queue_limit) {
    for (int i = 0; i < threads; ++i)
        threads_.emplace_back([this, i] { work(i); });
}

ApiWorkers::~ApiWorkers() {
    stop();
}

bool ApiWorkers::run(Task task) {
    std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_limit_)
        return false;
    queue_.push_back(std::move(task));
    changed_.notify_one();
    return true;
}

void ApiWorkers::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        queue_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_)
        if (thread.joinable())
            thread.join();
}

void ApiWorkers::work(int index) {
    pthread_setname_np(pthread_self(), fmt::format("proc-api-{}", index).c_str());
    redis::Client client(options_);
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty())
            return;
        Task task = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        task(client);
        lock.lock();
    }
}

}  // namespace adtally::metrics_api
