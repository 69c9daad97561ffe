// For the tests of this folder: a server with a few telling routes, and a client that sends raw
// bytes, which no well-behaved client library would.
//
// Every wait has a deadline; a test that waits in vain fails and says for what.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "platform/http/ascii.hpp"
#include "platform/http/server.hpp"

namespace adtally::http::test {

inline constexpr Milliseconds patience{20'000};

// Waits for a condition that nothing announces.
template <class Condition>
bool eventually(Condition condition) {
    Deadline deadline = Deadline::after(patience);
    while (!condition()) {
        if (deadline.passed())
            return false;
        std::this_thread::yield();
    }
    return true;
}

struct Answer {
    int status = 0;
    std::string head;
    std::string body;

    std::string header(std::string_view name) const {
        std::size_t at = 0;
        while ((at = head.find("\r\n", at)) != std::string::npos) {
            at += 2;
            std::size_t colon = head.find(':', at);
            if (colon == std::string::npos)
                break;
            if (iequals(std::string_view(head).substr(at, colon - at), name)) {
                std::size_t end = head.find("\r\n", colon);
                return std::string(
                    trim_blanks(std::string_view(head).substr(colon + 1, end - colon - 1)));
            }
        }
        return {};
    }
};

class RawClient {
public:
    explicit RawClient(std::uint16_t port, int receive_buffer = 0) {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer > 0)
            ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error("cannot connect");
    }
    ~RawClient() { close(); }
    RawClient(const RawClient&) = delete;

    void close() {
        if (socket_ >= 0)
            ::close(socket_);
        socket_ = -1;
    }
    void finish_sending() { ::shutdown(socket_, SHUT_WR); }

    // False once the server does not take it any more.
    bool send(std::string_view bytes) {
        Deadline deadline = Deadline::after(patience);
        while (!bytes.empty() && wait(POLLOUT, deadline)) {
            ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno != EAGAIN)
                return false;
            bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
        }
        return bytes.empty();
    }

    // One answer with a Content-Length, or with none and no body. `to_head`: without its body.
    Answer read(bool to_head = false) {
        Answer answer;
        std::size_t end = std::string::npos;
        while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
            if (!receive())
                throw std::runtime_error("no answer; got: " + received_);
        }
        answer.head = received_.substr(0, end + 2);
        received_.erase(0, end + 4);
        answer.status = std::stoi(answer.head.substr(9, 3));
        std::string length = answer.header("Content-Length");
        std::size_t bytes = to_head || length.empty() ? 0 : std::stoul(length);
        while (received_.size() < bytes) {
            if (!receive())
                throw std::runtime_error("the answer's body is cut");
        }
        answer.body = received_.substr(0, bytes);
        received_.erase(0, bytes);
        return answer;
    }
    Answer ask(std::string_view request) {
        send(request);
        return read();
    }
    // Everything up to the end of the connection; `clean` tells an orderly end from a reset.
    std::string read_to_end() {
        while (receive()) {
        }
        return std::exchange(received_, {});
    }
    // Reads until `text` has arrived.
    bool read_until(std::string_view text) {
        while (received_.find(text) == std::string::npos) {
            if (!receive())
                return false;
        }
        return true;
    }
    bool closed() { return read_to_end().empty(); }
    bool was_reset() const { return reset_; }

private:
    bool wait(short event, Deadline deadline) {
        pollfd poll_for{socket_, event, 0};
        int ready = ::poll(&poll_for, 1, static_cast<int>(deadline.left().count()));
        if (ready == 0)
            throw std::runtime_error("timed out waiting for the server; got: " + received_);
        return ready > 0;
    }
    bool receive() {
        wait(POLLIN, Deadline::after(patience));
        char bytes[16384];
        ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
        reset_ = reset_ || got < 0;
        if (got > 0)
            received_.append(bytes, static_cast<std::size_t>(got));
        return got > 0;
    }

    int socket_ = -1;
    std::string received_;
    bool reset_ = false;
};

inline std::string post(std::string_view path, std::string_view body,
                        std::string_view more_headers = {}) {
    std::string request = "POST ";
    request += path;
    request += " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    request += more_headers;
    request += "\r\n";
    request += body;
    return request;
}

inline std::string get(std::string_view path, std::string_view more_headers = {}) {
    std::string request = "GET ";
    request += path;
    request += " HTTP/1.1\r\nHost: test\r\n";
    request += more_headers;
    return request + "\r\n";
}

inline Response text(int status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

// Keeps what handlers give it until a test asks for it.
template <class T>
class Held {
public:
    void put(T item) {
        std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
        changed_.notify_all();
    }
    T take() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [this] { return !items_.empty(); }))
            throw std::runtime_error("no handler was called");
        T item = std::move(items_.front());
        items_.pop_front();
        return item;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<T> items_;
};

class TestServer {
public:
    Held<Responder> responders;                 // of POST /hold
    Held<std::shared_ptr<BodyStream>> streams;  // of GET /stream
    observability::MetricRegistry metrics{"test"};

    explicit TestServer(ServerOptions options = {}) {
        options.service = "http-test";
        options.thread_name = "test-io";
        options.bind = "127.0.0.1";
        server_.emplace(std::move(options), Router(routes()), metrics);
        server_->start();
    }
    std::uint16_t port() const { return server_->port(); }
    Server& server() { return *server_; }
    void destroy() { server_.reset(); }

private:
    static void describe(const Request& request, Responder responder) {
        std::string seen;
        for (const std::string& parameter : request.path_parameters)
            seen += "parameter=" + parameter + "\n";
        seen += "method=" + std::string(to_string(request.method)) + "\n";
        seen += "path=" + std::string(request.path) + "\n";
        seen += "query=" + std::string(request.query) + "\n";
        seen += "route=" + std::string(request.route) + "\n";
        seen += "client=" + std::string(request.client_ip) + "\n";
        seen += "peer=" + std::string(request.peer_ip) + "\n";
        seen += "trace=" + std::string(request.trace_id) + "\n";
        seen += "traceparent=" + std::string(request.traceparent) + "\n";
        responder.send(text(200, seen));
    }
    std::vector<Route> routes() {
        std::vector<Route> routes;
        routes.push_back({Method::post, "/echo", "", [](const Request& request, Responder r) {
                              r.send(text(200, std::string(request.body)));
                          }});
        routes.push_back({Method::post, "/hold", "",
                          [this](const Request&, Responder r) { responders.put(std::move(r)); }});
        routes.push_back({Method::get, "/stream", "", [this](const Request&, Responder r) {
                              Response head;
                              head.content_type = "text/event-stream";
                              streams.put(r.stream(std::move(head)));
                          }});
        routes.push_back({Method::get, "/seen/{name}", "", describe});
        routes.push_back({Method::get, "/drop", "", [](const Request&, Responder) {}});
        routes.push_back({Method::get, "/throw", "",
                          [](const Request&, Responder) { throw std::runtime_error("a bug"); }});
        routes.push_back({Method::get, "/large", "", [](const Request&, Responder r) {
                              r.send(text(200, std::string(8u << 20, 'x')));
                          }});
        routes.push_back({Method::get, "/nothing", "", [](const Request&, Responder r) {
                              Response response;
                              response.status = 204;
                              r.send(std::move(response));
                          }});
        routes.push_back({Method::get, "/inject", "", [](const Request&, Responder r) {
                              Response response = text(200, "ok");
                              response.headers.emplace_back("X-Bad", "a\r\nX-Evil: 1");
                              response.headers.emplace_back("X-Good", "a");
                              r.send(std::move(response));
                          }});
        return routes;
    }
    std::optional<Server> server_;
};

}  // namespace adtally::http::test
