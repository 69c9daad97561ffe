// Between the thread that pushes chunks to a client and the loop that writes them.
//
// The producer is never blocked: when the client is slower than the producer and 256 KiB wait, the
// stream is closed and the producer is told so.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "platform/http/mailbox.hpp"
#include "platform/http/router.hpp"

namespace adtally::http {

class StreamState {
public:
    static constexpr std::size_t max_waiting_bytes = 256u << 10;

    StreamState(std::weak_ptr<Connection> connection, std::shared_ptr<Mailbox> mailbox,
                bool chunked)
        : connection_(std::move(connection)), mailbox_(std::move(mailbox)), chunked_(chunked) {}

    // Any thread.
    bool write(const std::string& chunk);
    void end();
    void close();

    // Loop thread.
    bool overflowed();
    enum class Next { nothing, bytes, last_bytes };
    Next take(std::string& into);  // replaces `into`; the bytes taken before are on their way

private:
    void notify();

    const std::weak_ptr<Connection> connection_;
    const std::shared_ptr<Mailbox> mailbox_;
    const bool chunked_;
    std::mutex mutex_;
    std::string waiting_;
    std::size_t taken_bytes_ = 0;
    bool notified_ = false;
    bool ended_ = false;
    bool closed_ = false;
    bool overflowed_ = false;
};

// What the producer holds: dropping it ends the stream.
class StreamHandle final : public BodyStream {
public:
    explicit StreamHandle(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}
    ~StreamHandle() override { state_->end(); }
    bool write(std::string chunk) override { return state_->write(chunk); }
    void end() override { state_->end(); }

private:
    const std::shared_ptr<StreamState> state_;
};

}  // namespace adtally::http
