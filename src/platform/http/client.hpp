// Outgoing HTTP for what is not in anyone's way: alert sinks, tools. Blocking; TLS is verified.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::http {

struct ClientRequest {
    std::string method = "GET";
    std::string url;  // http or https
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};
    Milliseconds timeout{5'000};
    std::size_t max_response_bytes = 1u << 20;  // more is an error
};

struct ClientResponse {
    int status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
};

// Keeps its connections between calls. One thread at a time.
class Client {
public:
    Client();
    ~Client();
    // Any status is a success here; `unavailable` or `timed_out` when there was no answer.
    // Redirects are not followed.
    Result<ClientResponse> send(const ClientRequest& request);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::http
