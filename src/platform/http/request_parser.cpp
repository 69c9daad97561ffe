// See request_parser.hpp.
#include "platform/http/request_parser.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t usual_capacity = 4u << 10;
constexpr std::size_t kept_capacity = 8u << 10;        // of the buffer, between requests
constexpr std::size_t kept_body_capacity = 64u << 10;  // of the second one
constexpr std::size_t min_room = 1u << 10;
constexpr std::size_t padding = BodyBuffer::padding;

// A TLS hello, a binary protocol or a stray body shows in its first byte.
bool may_start_request(char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f;
}

}  // namespace

RequestParser::RequestParser(ParserLimits limits)
    : limits_(limits),
      buffer_(std::make_unique<char[]>(usual_capacity)),
      capacity_(usual_capacity) {
    ADTALLY_ASSERT(limits.max_header_bytes > 0);
}

// Room for `behind` bytes and the padding after end_, by moving the request to the front or to a
// larger buffer. Only while no view into the buffer is alive.
void RequestParser::make_room(std::size_t behind) {
    if (capacity_ - end_ >= behind + padding)
        return;
    std::size_t held = end_ - begin_;
    std::size_t capacity = capacity_;
    while (capacity < held + behind + padding)
        capacity *= 2;
    if (capacity == capacity_) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, held);
    } else {
        auto larger = std::make_unique<char[]>(capacity);
        std::memcpy(larger.get(), buffer_.get() + begin_, held);
        buffer_ = std::move(larger);
        capacity_ = capacity;
    }
    scan_ -= begin_;
    line_ -= begin_;
    head_end_ = head_end_ >= begin_ ? head_end_ - begin_ : 0;
    begin_ = 0;
    end_ = held;
}

std::span<char> RequestParser::prepare() {
    if (state_ == State::body_apart) {
        std::size_t room = 0;
        char* at = body_.prepare(*head_.content_length - body_.size(), room);
        return {at, room};
    }
    if (state_ == State::head)
        make_room(min_room);
    ADTALLY_ASSERT(capacity_ - padding > end_);
    return {buffer_.get() + end_, capacity_ - padding - end_};
}

void RequestParser::commit(std::size_t bytes) {
    if (state_ == State::body_apart)
        body_.commit(bytes);
    else
        end_ += bytes;
}

RequestParser::Progress RequestParser::fail(ParseError error) {
    error_ = error;
    state_ = State::failed;
    return Progress::error;
}

RequestParser::Progress RequestParser::finish(std::string_view body, std::size_t request_end) {
    body_view_ = body;
    request_end_ = request_end;
    state_ = State::whole;
    return Progress::request;
}

RequestParser::Progress RequestParser::advance() {
    switch (state_) {
        case State::head:
            return advance_head();
        case State::body_start:
            return start_body();
        case State::body_in_place: {
            std::size_t body_end = head_end_ + *head_.content_length;
            if (end_ < body_end)
                return Progress::need_more;
            return finish({buffer_.get() + head_end_, *head_.content_length}, body_end);
        }
        case State::body_apart:
            if (body_.size() < *head_.content_length)
                return Progress::need_more;
            return finish(body_.view(), end_);
        case State::body_chunked:
            return advance_chunked();
        case State::whole:
            return Progress::request;
        case State::failed:
            return Progress::error;
    }
    return Progress::error;
}

// Walks whole lines: each must end with CR LF, none may begin with a blank (a folded field), and
// the empty one ends the head. One empty line before the request is skipped (RFC 9112 §2.2).
bool RequestParser::find_head_end() {
    const char* text = buffer_.get();
    while (scan_ < end_) {
        bool line_begins = scan_ == line_ && line_ != begin_;
        if (line_begins && (text[line_] == ' ' || text[line_] == '\t')) {
            error_ = {400, "header_folded", "a header field may not be folded"};
            malformed_ = true;
            return false;
        }
        const void* found = std::memchr(text + scan_, '\n', end_ - scan_);
        if (found == nullptr) {
            scan_ = end_;
            return false;
        }
        auto newline = static_cast<std::size_t>(static_cast<const char*>(found) - text);
        if (newline == line_ || text[newline - 1] != '\r') {
            error_ = {400, "line_ending_invalid", "lines must end with CR LF"};
            malformed_ = true;
            return false;
        }
        bool empty = newline == line_ + 1;
        bool first = line_ == begin_;
        scan_ = line_ = newline + 1;
        if (empty && !first) {
            head_end_ = scan_;
            return true;
        }
        if (empty) {
            malformed_ = blank_line_skipped_;
            blank_line_skipped_ = true;
            begin_ = scan_;
            error_ = {400, "request_line_invalid", "an empty line stands before the request"};
            if (malformed_)
                return false;
        }
    }
    return false;
}

RequestParser::Progress RequestParser::advance_head() {
    if (begin_ == end_)
        return Progress::need_more;
    bool found = find_head_end();
    if (malformed_)
        return fail(error_);
    char first = begin_ < end_ ? buffer_[begin_] : 'G';
    bool may_be_blank_line = first == '\r' && !blank_line_skipped_;
    if (!may_start_request(first) && !may_be_blank_line)
        return fail({400, "request_line_invalid", "this is not an HTTP/1.1 request"});
    if (!found) {
        std::size_t held = end_ - begin_;
        if (line_ == begin_ &&
            held > std::min(limits_.head.max_target_bytes + 64, limits_.max_header_bytes))
            return fail({414, "uri_too_long", "the request line is too long"});
        if (held >= limits_.max_header_bytes)
            return fail({431, "header_too_large", "the header is too large"});
        return Progress::need_more;
    }
    if (head_end_ - begin_ > limits_.max_header_bytes)
        return fail({431, "header_too_large", "the header is too large"});

    make_room(min_room);
    std::string_view block(buffer_.get() + begin_, head_end_ - begin_);
    if (std::optional<ParseError> refused = parse_head(block, limits_.head, head_))
        return fail(*refused);
    has_head_ = true;
    if (head_.content_length > limits_.max_body_bytes)
        return fail({413, "body_too_large", "the body is larger than this server takes"});
    state_ = State::body_start;
    return Progress::head;
}

RequestParser::Progress RequestParser::start_body() {
    if (head_.chunked) {
        chunks_.reset(limits_.max_body_bytes);
        state_ = State::body_chunked;
        return advance_chunked();
    }
    std::size_t length = head_.content_length.value_or(0);
    if (head_end_ + length + padding <= capacity_) {
        head_.content_length = length;
        state_ = State::body_in_place;
        return advance();
    }
    std::size_t here = std::min(end_ - head_end_, length);
    body_.append({buffer_.get() + head_end_, here});
    end_ = head_end_;
    state_ = State::body_apart;
    return advance();
}

RequestParser::Progress RequestParser::advance_chunked() {
    std::string_view input(buffer_.get() + head_end_, end_ - head_end_);
    switch (chunks_.feed(input, body_)) {
        case ChunkDecoder::Status::need_more:
            end_ = head_end_;
            return Progress::need_more;
        case ChunkDecoder::Status::done:
            body_.append({});
            return finish(body_.view(), end_ - input.size());
        case ChunkDecoder::Status::malformed:
            return fail({400, "chunk_invalid", "the chunked body is malformed"});
        case ChunkDecoder::Status::too_large:
            return fail({413, "body_too_large", "the body is larger than this server takes"});
    }
    return Progress::error;
}

void RequestParser::next() {
    ADTALLY_ASSERT(state_ == State::whole);
    begin_ = request_end_;
    body_view_ = {};
    has_head_ = false;
    blank_line_skipped_ = false;
    state_ = State::head;
    body_.reset(kept_body_capacity);
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (capacity_ > kept_capacity) {
            buffer_ = std::make_unique<char[]>(usual_capacity);
            capacity_ = usual_capacity;
        }
    }
    scan_ = line_ = head_end_ = begin_;
}

}  // namespace adtally::http
