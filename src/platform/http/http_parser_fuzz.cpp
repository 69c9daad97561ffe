// Feeds arbitrary bytes, cut at arbitrary places, to the request parser and checks what it
// promises.
//
// The first bytes of the input decide the cuts, the rest is what a client sends.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/assert.hpp"
#include "platform/http/ascii.hpp"
#include "platform/http/request_parser.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t max_body = 10'000;

ParserLimits limits() {
    ParserLimits limits;
    limits.max_header_bytes = 2'048;
    limits.max_body_bytes = max_body;
    limits.head.max_fields = 20;
    limits.head.max_target_bytes = 500;
    return limits;
}

void check_head(const RequestHead& head) {
    int hosts = 0;
    int lengths = 0;
    int codings = 0;
    ADTALLY_ASSERT(head.fields.size() <= 20 && head.target.size() <= 500);
    for (const HeaderField& field : head.fields) {
        hosts += iequals(field.name, "Host") ? 1 : 0;
        lengths += iequals(field.name, "Content-Length") ? 1 : 0;
        codings += iequals(field.name, "Transfer-Encoding") ? 1 : 0;
        for (std::string_view text : {field.name, field.value})
            ADTALLY_ASSERT(text.find_first_of(std::string_view("\r\n\0", 3)) ==
                           std::string_view::npos);
        ADTALLY_ASSERT(field.name.find_first_of(" \t:") == std::string_view::npos);
    }
    ADTALLY_ASSERT(lengths + codings <= 1);
    ADTALLY_ASSERT(codings == (head.chunked ? 1 : 0));
    ADTALLY_ASSERT(!head.chunked || head.http11);
    ADTALLY_ASSERT(hosts <= 1 && (hosts == 1 || !head.http11));
    ADTALLY_ASSERT(head.target.find_first_of(" \r\n") == std::string_view::npos);
    ADTALLY_ASSERT(!head.path.empty());
}

void check_request(const RequestParser& parser) {
    check_head(parser.head());
    std::string_view body = parser.body();
    ADTALLY_ASSERT(body.size() <= max_body);
    ADTALLY_ASSERT(parser.head().chunked || body.size() == parser.head().content_length);
    // The sanitizer checks that body and padding are there to read.
    std::size_t readable = body.size() + BodyBuffer::padding;
    auto zeros = std::count(body.data(), body.data() + readable, '\0');
    ADTALLY_ASSERT(static_cast<std::size_t>(zeros) <= readable);
}

// Until the parser wants bytes; false after an error.
bool drain(RequestParser& parser) {
    while (true) {
        switch (parser.advance()) {
            case RequestParser::Progress::need_more:
                return true;
            case RequestParser::Progress::head:
                check_head(parser.head());
                break;
            case RequestParser::Progress::request:
                check_request(parser);
                parser.next();
                break;
            case RequestParser::Progress::error:
                ADTALLY_ASSERT(parser.error().status >= 400 && parser.error().status < 600);
                ADTALLY_ASSERT(!parser.error().code.empty());
                return false;
        }
    }
}

void run(std::string_view cuts, std::string_view bytes) {
    RequestParser parser(limits());
    std::size_t turn = 0;
    while (drain(parser) && !bytes.empty()) {
        std::size_t cut = cuts.empty()
                              ? bytes.size()
                              : static_cast<unsigned char>(cuts[turn++ % cuts.size()]) + 1u;
        std::span<char> room = parser.prepare();
        ADTALLY_ASSERT(!room.empty());
        std::size_t take = std::min({cut, room.size(), bytes.size()});
        std::memcpy(room.data(), bytes.data(), take);
        bytes.remove_prefix(take);
        parser.commit(take);
    }
}

}  // namespace

}  // namespace adtally::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input(reinterpret_cast<const char*>(data), size);
    std::size_t cuts = input.empty() ? 0 : std::min<std::size_t>(input.front() & 7, size - 1);
    std::string_view rest = input.substr(std::min<std::size_t>(1, size));
    adtally::http::run(rest.substr(0, cuts), rest.substr(cuts));
    return 0;
}
