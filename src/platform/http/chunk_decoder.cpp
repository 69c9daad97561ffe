// See chunk_decoder.hpp.
#include "platform/http/chunk_decoder.hpp"

#include <algorithm>
#include <cstring>

#include "base/hex.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t first_capacity = 16u << 10;

bool is_control(char c) {
    auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

}  // namespace

void BodyBuffer::grow(std::size_t at_least) {
    std::size_t capacity = std::max({at_least, capacity_ * 2, first_capacity});
    auto larger = std::make_unique_for_overwrite<char[]>(capacity + padding);
    if (size_ > 0)
        std::memcpy(larger.get(), data_.get(), size_);
    std::memset(larger.get() + capacity, 0, padding);
    data_ = std::move(larger);
    capacity_ = capacity;
}

void BodyBuffer::append(std::string_view bytes) {
    if (capacity_ - size_ < bytes.size() || data_ == nullptr)
        grow(size_ + bytes.size());
    if (!bytes.empty())
        std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
}

char* BodyBuffer::prepare(std::size_t up_to, std::size_t& room) {
    if (capacity_ == size_)
        grow(std::min(size_ + up_to, std::max(size_ * 2, first_capacity)));
    room = std::min(up_to, capacity_ - size_);
    return data_.get() + size_;
}

void BodyBuffer::reset(std::size_t keep) {
    size_ = 0;
    if (capacity_ > keep) {
        data_.reset();
        capacity_ = 0;
    }
}

void ChunkDecoder::reset(std::size_t max_body_bytes) {
    *this = ChunkDecoder{};
    max_body_bytes_ = max_body_bytes;
}

ChunkDecoder::Status ChunkDecoder::feed(std::string_view& input, BodyBuffer& body) {
    while (!input.empty() && state_ != State::done) {
        if (state_ == State::data) {
            auto take =
                static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
            body.append(input.substr(0, take));
            input.remove_prefix(take);
            chunk_left_ -= take;
            if (chunk_left_ == 0)
                state_ = State::data_cr;
            continue;
        }
        Status status = step(input.front(), body);
        if (status != Status::need_more)
            return status;
        input.remove_prefix(1);
    }
    return state_ == State::done ? Status::done : Status::need_more;
}

// `need_more` says that the byte fits; the others end the message.
ChunkDecoder::Status ChunkDecoder::step(char c, const BodyBuffer& body) {
    auto expect = [&](char wanted, State next) {
        state_ = next;
        return c == wanted ? Status::need_more : Status::malformed;
    };
    switch (state_) {
        case State::size_first:
            chunk_left_ = 0;
            digits_ = 0;
            extension_bytes_ = 0;
            return size_digit(c, body);
        case State::size:
            return size_digit(c, body);
        case State::extension:
            return extension_byte(c);
        case State::size_lf:
            return expect('\n', chunk_left_ == 0 ? State::trailer_line : State::data);
        case State::data_cr:
            return expect('\r', State::data_lf);
        case State::data_lf:
            return expect('\n', State::size_first);
        case State::trailer_line:
            if (c == '\r')
                return expect('\r', State::final_lf);
            state_ = State::trailer;
            // A line that begins with a blank would continue the one before it.
            return c == ' ' || c == '\t' ? Status::malformed : trailer_byte(c);
        case State::trailer:
            return trailer_byte(c);
        case State::trailer_lf:
            return expect('\n', State::trailer_line);
        case State::final_lf:
            return expect('\n', State::done);
        case State::data:
        case State::done:
            break;
    }
    return Status::malformed;
}

ChunkDecoder::Status ChunkDecoder::size_digit(char c, const BodyBuffer& body) {
    constexpr std::size_t max_digits = 15;  // keeps the number below 2^60
    if (int value = hex_digit(c); value >= 0) {
        state_ = State::size;
        if (++digits_ > max_digits)
            return Status::malformed;
        chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(value);
        return chunk_left_ > max_body_bytes_ - body.size() ? Status::too_large : Status::need_more;
    }
    if (digits_ == 0)
        return Status::malformed;
    if (c == ';') {
        state_ = State::extension;
        return extension_byte(c);
    }
    state_ = State::size_lf;
    return c == '\r' ? Status::need_more : Status::malformed;
}

ChunkDecoder::Status ChunkDecoder::extension_byte(char c) {
    if (c == '\r') {
        state_ = State::size_lf;
        return Status::need_more;
    }
    bool over = ++extension_bytes_ > max_extension_bytes ||
                ++message_extension_bytes_ > max_message_extension_bytes;
    return over || is_control(c) ? Status::malformed : Status::need_more;
}

ChunkDecoder::Status ChunkDecoder::trailer_byte(char c) {
    if (++trailer_bytes_ > max_trailer_bytes)
        return Status::malformed;
    if (c == '\r') {
        state_ = State::trailer_lf;
        return Status::need_more;
    }
    return is_control(c) ? Status::malformed : Status::need_more;
}

}  // namespace adtally::http
