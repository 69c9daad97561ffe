// For this folder's tests: a server on a free port of the loopback, one thread a connection.
//
// `answer` makes the bytes for each whole request; empty ones close the connection. The very first
// answer can be held back for a while.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"

namespace adtally::load {

class TinyServer {
public:
    using Answer = std::function<std::string(std::string_view request)>;

    explicit TinyServer(std::string always, Milliseconds hold_first = Milliseconds{0})
        : TinyServer([always](std::string_view) { return always; }, hold_first) {}
    explicit TinyServer(Answer answer, Milliseconds hold_first = Milliseconds{0})
        : answer_(std::move(answer)), hold_first_(hold_first) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address_.sin_family = AF_INET;
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
        socklen_t size = sizeof address_;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size);
        EXPECT_EQ(::listen(listener_, 64), 0);
        thread_ = std::thread([this] { serve(); });
    }
    // Its clients must have closed their connections.
    ~TinyServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    sockaddr_in address() const { return address_; }
    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port));
    }
    int served() const { return served_; }

private:
    void serve() {
        std::vector<std::thread> sessions;
        for (;;) {
            int file = ::accept(listener_, nullptr, nullptr);
            if (file < 0) {
                break;
            }
            sessions.emplace_back([this, file] { session(file); });
        }
        for (std::thread& one : sessions) {
            one.join();
        }
    }
    // Bytes of the first whole request, 0 when there is none yet.
    static std::size_t whole_request(std::string_view bytes) {
        constexpr std::string_view field = "Content-Length: ";
        std::size_t head = bytes.find("\r\n\r\n");
        std::size_t length = bytes.find(field);
        if (head == std::string_view::npos || length == std::string_view::npos) {
            return 0;
        }
        std::size_t body = 0;
        const char* digits = bytes.data() + length + field.size();
        std::from_chars(digits, bytes.data() + bytes.size(), body);
        return bytes.size() >= head + 4 + body ? head + 4 + body : 0;
    }
    void session(int file) {
        std::vector<char> buffer(65'536);
        std::string bytes;
        for (;;) {
            ssize_t count = ::recv(file, buffer.data(), buffer.size(), 0);
            if (count <= 0) {
                break;
            }
            bytes.append(buffer.data(), static_cast<std::size_t>(count));
            std::size_t whole = whole_request(bytes);
            if (whole > 0 && !give_answer(file, bytes.substr(0, whole))) {
                break;
            }
            bytes.erase(0, whole);
        }
        ::close(file);
    }
    bool give_answer(int file, const std::string& request) {
        if (served_.fetch_add(1) == 0) {
            pollfd nothing{-1, 0, 0};
            ::poll(&nothing, 1, static_cast<int>(hold_first_.count()));
        }
        std::string answer = answer_(request);
        return !answer.empty() && ::send(file, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
    }

    Answer answer_;
    Milliseconds hold_first_;
    int listener_ = -1;
    sockaddr_in address_{};
    std::atomic<int> served_{0};
    std::thread thread_;
};

inline const std::string accepted_answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";

}  // namespace adtally::load
