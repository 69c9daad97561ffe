// Threads that may wait for Redis on behalf of HTTP handlers, which may not.
//
// Limit. At most `queue_limit` questions wait; one more is refused (the caller answers 503).
// Threads. "proc-api-N"; each has a connection of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/unique_function.hpp"
#include "platform/redis/client.hpp"

namespace adtally::metrics_api {

class ApiWorkers {
public:
    using Task = UniqueFunction<void(redis::Client&)>;

    ApiWorkers(redis::ClientOptions options, int threads, std::size_t queue_limit);
    ~ApiWorkers();
    // False: too many wait already, or stop() has been called; the task is dropped.
    bool run(Task task);
    // Finishes what was begun; what waits is dropped with its responders (the server has stopped).
    void stop();

private:
    void work(int index);

    redis::ClientOptions options_;
    std::size_t queue_limit_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace adtally::metrics_api
