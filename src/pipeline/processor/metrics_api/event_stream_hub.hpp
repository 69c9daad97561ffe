// Server-sent events: everyone who listens at /api/metrics/stream gets what is published.
//
// Limits. 100 listeners, one more is refused; a listener that is too slow is closed by the HTTP
// server. A comment every 15 s keeps proxies from closing a quiet stream.
// Threads. publish() and add() from any; "proc-sse" sends the comments.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "platform/http/router.hpp"

namespace adtally::metrics_api {

class EventStreamHub {
public:
    EventStreamHub();
    ~EventStreamHub();
    // Answers the request with a stream, or with 503 when there are too many.
    void add(const http::Request& request, http::Responder responder);
    void publish(std::string_view event, std::string_view json);
    void stop();

private:
    void keep_alive();
    void broadcast(const std::string& chunk);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<http::BodyStream>> listeners_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adtally::metrics_api
