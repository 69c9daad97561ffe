// As much of HTTP/1.1 as a load generator needs to know when an answer is complete: the status
// line, Content-Length, Connection: close. Anything else is malformed, loudly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace adtally::load {

class Answer {
public:
    enum class State : std::uint8_t { incomplete, complete, malformed };

    // Takes bytes from the connection; bytes after a complete answer are malformed, since this
    // client never has two requests under way.
    State feed(std::string_view bytes);
    void reset();

    int status() const { return status_; }
    bool closes() const { return closes_; }
    // The n of a body that begins with {"accepted":n, or -1.
    long accepted() const;

private:
    State finish_head(std::string_view head);

    std::string head_;
    std::string body_start_;
    std::size_t body_left_ = 0;
    bool in_body_ = false;
    int status_ = 0;
    bool closes_ = false;
};

}  // namespace adtally::load
