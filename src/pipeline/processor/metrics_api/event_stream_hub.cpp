#include "pipeline/processor/metrics_api/event_stream_hub.hpp"

#include <fmt/format.h>
#include <pthread.h>

namespace adtally::metrics_api {
namespace {

constexpr std::size_t most_listeners = 100;
constexpr auto comment_interval = std::chrono::seconds(15);

}  // namespace

EventStreamHub::EventStreamHub()
    : thread_([this] {
          pthread_setname_np(pthread_self(), "proc-sse");
          keep_alive();
      }) {}

EventStreamHub::~EventStreamHub() {
    stop();
}

void EventStreamHub::add(const http::Request& request, http::Responder responder) {
    std::lock_guard lock(mutex_);
    if (stopping_ || listeners_.size() >= most_listeners) {
        responder.send(http::problem(
            request, Error{ErrorCode::overloaded, "too many listen to the stream already"}));
        return;
    }
    http::Response head;
    head.content_type = "text/event-stream";
    head.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
    auto stream = responder.stream(std::move(head));
    if (stream->write(": connected\n\n"))
        listeners_.push_back(std::move(stream));
}

void EventStreamHub::publish(std::string_view event, std::string_view json) {
    std::lock_guard lock(mutex_);
    if (!listeners_.empty())
        broadcast(fmt::format("event: {}\ndata: {}\n\n", event, json));
}

void EventStreamHub::broadcast(const std::string& chunk) {
    std::erase_if(listeners_, [&chunk](auto& listener) { return !listener->write(chunk); });
}

void EventStreamHub::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        for (auto& listener : listeners_)
            listener->end();
        listeners_.clear();
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void EventStreamHub::keep_alive() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, comment_interval, [this] { return stopping_; }))
        broadcast(": still here\n\n");
}

}  // namespace adtally::metrics_api
