// Routes of a service, as one visible list, and how a handler answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.hpp"

namespace adtally::http {

// Pushes chunks to one client (server-sent events). Any thread.
class BodyStream {
public:
    virtual ~BodyStream() = default;
    // False once the client is gone or is too slow (its buffer, 256 KiB, is full: it is closed).
    virtual bool write(std::string chunk) = 0;
    virtual void end() = 0;
};

// How the server takes an answer; implemented by a connection.
class ResponseSink {
public:
    virtual ~ResponseSink() = default;
    virtual void respond(Response response) = 0;
    virtual std::shared_ptr<BodyStream> stream(Response head) = 0;
};

// The right to answer one request, once, from any thread. Moving it moves the duty. Dropping it
// unused answers 500: a client never waits for a handler's bug.
class Responder {
public:
    explicit Responder(std::shared_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}
    Responder(Responder&&) noexcept = default;
    Responder& operator=(Responder&&) = delete;
    ~Responder();

    void send(Response response);
    std::shared_ptr<BodyStream> stream(Response head);

private:
    std::shared_ptr<ResponseSink> sink_;
};

// Runs on an I/O thread: parse, call, and answer now or later; it must not block.
using Handler = std::function<void(const Request&, Responder)>;

struct Route {
    Method method;
    std::string path;  // "/api/metrics/ads/{id}"; a placeholder is one whole segment
    std::string what;  // one line for `adtally routes`
    Handler handler;
    // The last segment may be {*rest}: it takes all remaining segments.
};

// Immutable once built. HEAD is answered by the GET route without its body; a known path with
// another method is 405 with Allow; an unknown path is 404.
class Router {
public:
    // Asserts on two routes with the same method and path.
    explicit Router(std::vector<Route> routes);
    ~Router();
    Router(Router&&) noexcept;

    struct Match {
        const Route* route = nullptr;  // null: not found, or the method is not offered
        std::string allow;             // methods offered here, for 405; empty: 404
        std::vector<std::string> parameters;
        bool bad_escape = false;
    };
    void match(Method method, std::string_view path, Match& into) const;
    const std::vector<Route>& routes() const { return routes_; }

private:
    std::vector<Route> routes_;
    struct Index;
    std::unique_ptr<Index> index_;
};

}  // namespace adtally::http
