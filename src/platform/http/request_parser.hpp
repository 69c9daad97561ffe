// From bytes to requests, without a socket.
//
//     read into prepare(); commit(n); then advance() until it says need_more.
//
// Promise. Whatever the bytes and however they are cut, a request is framed in exactly one way or
// refused; memory is bounded by the limits and grows only as bytes arrive. A body is contiguous and
// has BodyBuffer::padding readable bytes behind it. After an error only scratch() may be used.
//
// Memory. One buffer holds the head and, when it fits behind it, the body, so that a usual request
// is never copied; a larger body goes to a second buffer. Both are reused by the next request of
// the connection and shrink when they were grown for an unusual one.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "platform/http/chunk_decoder.hpp"
#include "platform/http/request_head.hpp"

namespace adtally::http {

struct ParserLimits {
    std::size_t max_header_bytes = 16u << 10;
    std::size_t max_body_bytes = 4u << 20;
    HeadLimits head;
};

class RequestParser {
public:
    enum class Progress {
        need_more,
        head,     // once a request: its head is complete, its body may not be
        request,  // whole; stays valid until next()
        error,
    };
    explicit RequestParser(ParserLimits limits);

    std::span<char> prepare();
    void commit(std::size_t bytes);
    Progress advance();
    // Forgets the request that is whole; bytes behind it are kept for the following one.
    void next();

    // Valid after `head`, also beside an error of the body.
    const RequestHead& head() const { return head_; }
    bool has_head() const { return has_head_; }
    std::string_view body() const { return body_view_; }
    const ParseError& error() const { return error_; }
    // Between requests, with no byte of the following one.
    bool idle() const { return state_ == State::head && begin_ == end_; }
    bool holds_more() const { return request_end_ < end_; }  // beside a whole request
    // Room for bytes that nobody will look at; the views of the last request are dead.
    std::span<char> scratch() { return {buffer_.get(), capacity_}; }

private:
    enum class State { head, body_start, body_in_place, body_apart, body_chunked, whole, failed };

    Progress advance_head();
    Progress start_body();
    Progress advance_chunked();
    Progress fail(ParseError error);
    Progress finish(std::string_view body, std::size_t request_end);
    bool find_head_end();  // sets head_end_, or error_ when the lines are malformed
    void make_room(std::size_t behind);

    const ParserLimits limits_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;  // of the request
    std::size_t end_ = 0;    // of what was read
    std::size_t scan_ = 0;   // lines before this place are known
    std::size_t line_ = 0;   // start of the line at scan_
    std::size_t head_end_ = 0;
    std::size_t request_end_ = 0;
    State state_ = State::head;
    bool has_head_ = false;
    bool blank_line_skipped_ = false;
    bool malformed_ = false;
    RequestHead head_;
    ParseError error_;
    BodyBuffer body_;
    ChunkDecoder chunks_;
    std::string_view body_view_;
};

}  // namespace adtally::http
