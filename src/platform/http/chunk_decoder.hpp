// Decodes a chunked body as bytes arrive.
//
// Our own instead of Beast's, because a server must be stricter: a line ends with CR LF and nothing
// else, also within a chunk extension (a bare LF there is read differently by different proxies,
// which is how requests are smuggled); extensions and trailers are bounded and ignored; the size of
// the body is checked before a byte of the chunk is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace adtally::http {

// Contiguous bytes that grow as they arrive, with readable padding behind them.
class BodyBuffer {
public:
    static constexpr std::size_t padding = 64;

    void append(std::string_view bytes);
    // Room for at least one more byte and never for more than `up_to`.
    char* prepare(std::size_t up_to, std::size_t& room);
    void commit(std::size_t bytes) { size_ += bytes; }
    std::size_t size() const { return size_; }
    std::string_view view() const { return {data_.get(), size_}; }
    // Empty again; gives memory over `keep` back.
    void reset(std::size_t keep);

private:
    void grow(std::size_t at_least);

    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  // without the padding
};

class ChunkDecoder {
public:
    static constexpr std::size_t max_extension_bytes = 256;           // of one chunk
    static constexpr std::size_t max_message_extension_bytes = 4096;  // of all chunks
    static constexpr std::size_t max_trailer_bytes = 4096;

    enum class Status { need_more, done, malformed, too_large };

    void reset(std::size_t max_body_bytes);
    // Takes bytes off the front of `input`: all of them, or up to the end of the body.
    Status feed(std::string_view& input, BodyBuffer& body);

private:
    enum class State : std::uint8_t {
        size_first,
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_line,  // at the start of a line
        trailer,
        trailer_lf,
        final_lf,
        done,
    };
    Status step(char c, const BodyBuffer& body);
    Status size_digit(char c, const BodyBuffer& body);
    Status extension_byte(char c);
    Status trailer_byte(char c);

    State state_ = State::size_first;
    std::size_t max_body_bytes_ = 0;
    std::uint64_t chunk_left_ = 0;
    std::size_t digits_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t message_extension_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
};

}  // namespace adtally::http
