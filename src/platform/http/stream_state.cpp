// See stream_state.hpp.
#include "platform/http/stream_state.hpp"

#include <charconv>

#include "platform/http/connection.hpp"

namespace adtally::http {

// With mutex_ held; the loop's lock is taken inside ours and never the other way round.
void StreamState::notify() {
    if (notified_)
        return;
    std::shared_ptr<Connection> connection = connection_.lock();
    notified_ = connection != nullptr && mailbox_->push(std::move(connection), Mail::stream_data);
    if (!notified_)
        closed_ = true;
}

bool StreamState::write(const std::string& chunk) {
    std::lock_guard lock(mutex_);
    if (closed_ || ended_)
        return false;
    if (chunk.empty())
        return true;
    if (waiting_.size() + taken_bytes_ + chunk.size() > max_waiting_bytes) {
        overflowed_ = true;
        notified_ = false;  // also while a write hangs: the connection must be told now
        notify();
        closed_ = true;
        return false;
    }
    if (chunked_) {
        char size[16];
        auto end = std::to_chars(size, size + sizeof size, chunk.size(), 16).ptr;
        waiting_.append(size, end);
        waiting_ += "\r\n";
    }
    waiting_ += chunk;
    if (chunked_)
        waiting_ += "\r\n";
    notify();
    return !closed_;
}

void StreamState::end() {
    std::lock_guard lock(mutex_);
    if (closed_ || ended_)
        return;
    ended_ = true;
    notify();
}

void StreamState::close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    waiting_ = {};
}

bool StreamState::overflowed() {
    std::lock_guard lock(mutex_);
    return overflowed_;
}

StreamState::Next StreamState::take(std::string& into) {
    std::lock_guard lock(mutex_);
    notified_ = false;
    into.clear();
    into.swap(waiting_);
    taken_bytes_ = into.size();
    if (ended_ && !closed_) {
        closed_ = true;
        if (chunked_)
            into += "0\r\n\r\n";
        return Next::last_bytes;
    }
    return into.empty() ? Next::nothing : Next::bytes;
}

}  // namespace adtally::http
