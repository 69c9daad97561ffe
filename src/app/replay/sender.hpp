// Posts batches of events to a collector and does not let go of one until it is answered.
//
// Design. A bounded queue and one thread a connection. An answer that says "not now" (408, 429,
// 5xx) or no answer at all means: wait and send the very same bytes again. The wait is what
// Retry-After asks for, at most `retry_at_most`, or else doubles from 100 ms; stopping ends it at
// once. Any other status is the collector's last word on the batch.
//
// Promise. Each submitted batch is counted in Statistics exactly once, when it is answered; after
// finish() the rest is unacknowledged. A batch that was sent and not answered may be durable
// all the same: its ids make sending it again harmless.
//
// Threads: submit() and finish() from one thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "app/replay/statistics.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "platform/http/client.hpp"

namespace adtally::replay {

struct Batch {
    std::string body;  // NDJSON, every line an event
    std::size_t events = 0;
};

// The one thing a sender needs of HTTP, so that tests can refuse, break and delay.
class Transport {
public:
    virtual ~Transport() = default;
    virtual Result<http::ClientResponse> send(const http::ClientRequest& request) = 0;
};
using TransportFactory = std::function<std::unique_ptr<Transport>()>;
// Keep-alive HTTP/1.1 by libcurl.
std::unique_ptr<Transport> make_http_transport();

struct SenderOptions {
    std::string url;  // of the batch endpoint
    std::size_t connections = 1;
    Milliseconds request_timeout{30'000};
    Milliseconds retry_first{100};
    Milliseconds retry_at_most{10'000};
    Milliseconds give_up_after{600'000};
};

class Sender {
public:
    Sender(SenderOptions options, Statistics& statistics, const TransportFactory& transport);
    ~Sender();  // as abandon()

    // Waits for room in the queue (two batches a connection); false when sending has ended.
    bool submit(Batch batch);
    // Waits until everything is answered; ended early by abandon() or by giving up.
    void finish();
    // Ends waiting and retrying; a request under way is not repeated. From any thread.
    void abandon();
    // True when a batch found no acknowledgement for `give_up_after`.
    bool gave_up() const;

private:
    void run(Transport& transport);
    // False when sending has ended before an answer.
    bool deliver(Transport& transport, const Batch& batch);
    void settle(const Batch& batch, const http::ClientResponse& response);
    bool wait(Milliseconds span);
    void give_up();

    SenderOptions options_;
    Statistics& statistics_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Batch> queue_;
    std::size_t in_flight_ = 0;
    bool closed_ = false;
    bool gave_up_ = false;
    std::stop_source stop_;
    std::vector<std::unique_ptr<Transport>> transports_;
    std::vector<std::jthread> threads_;
};

}  // namespace adtally::replay
