#include "platform/http/request_parser.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace adtally::http {

namespace {

using Progress = RequestParser::Progress;

// Feeds the bytes in pieces of `step` until a request, an error or the end.
Progress feed(RequestParser& parser, std::string_view bytes, std::size_t step) {
    Progress progress = parser.advance();
    while (progress == Progress::head || (progress == Progress::need_more && !bytes.empty())) {
        if (progress == Progress::need_more) {
            std::span<char> room = parser.prepare();
            std::size_t take = std::min({room.size(), step, bytes.size()});
            std::memcpy(room.data(), bytes.data(), take);
            bytes.remove_prefix(take);
            parser.commit(take);
        }
        progress = parser.advance();
    }
    return progress;
}

ParserLimits small_limits() {
    ParserLimits limits;
    limits.max_header_bytes = 1024;
    limits.max_body_bytes = 100'000;
    limits.head.max_fields = 5;
    limits.head.max_target_bytes = 200;
    return limits;
}

int status_of_bytes(std::string_view bytes, std::size_t step) {
    RequestParser parser(small_limits());
    Progress progress = feed(parser, bytes, step);
    if (progress == Progress::error)
        return parser.error().status;
    return progress == Progress::request ? 200 : 0;
}

std::string with_fields(std::string_view fields) {
    return "POST /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestParser, TellsTheSameHoweverTheBytesAreCut) {
    const std::string bytes =
        "POST /api/events?a=1 HTTP/1.1\r\nHost: h:8085\r\nX-One:  two \r\nContent-Length: 5\r\n\r\n"
        "hello";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        RequestParser parser(small_limits());
        ASSERT_EQ(feed(parser, bytes, step), Progress::request) << step;
        EXPECT_EQ(parser.head().method, Method::post);
        EXPECT_EQ(parser.head().target, "/api/events?a=1");
        EXPECT_EQ(parser.head().path, "/api/events");
        EXPECT_EQ(parser.head().query, "a=1");
        ASSERT_EQ(parser.head().fields.size(), 3u);
        EXPECT_EQ(parser.head().fields[1].name, "X-One");
        EXPECT_EQ(parser.head().fields[1].value, "two");
        EXPECT_EQ(parser.body(), "hello");
        EXPECT_TRUE(parser.head().keep_alive);
        EXPECT_FALSE(parser.holds_more());
    }
}

TEST(RequestParser, KeepsPipelinedRequestsApart) {
    std::string bytes;
    for (int i = 0; i < 500; ++i)
        bytes += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    RequestParser parser(small_limits());
    std::string_view rest = bytes;
    int seen = 0;
    while (seen < 500) {
        Progress progress = parser.advance();
        if (progress == Progress::need_more) {
            ASSERT_FALSE(rest.empty());
            std::span<char> room = parser.prepare();
            std::size_t take = std::min(room.size(), rest.size());
            std::memcpy(room.data(), rest.data(), take);
            rest.remove_prefix(take);
            parser.commit(take);
        } else if (progress == Progress::request) {
            EXPECT_EQ(parser.head().path, "/" + std::to_string(seen));
            EXPECT_EQ(parser.body(), "abc");
            parser.next();
            ++seen;
        } else {
            ASSERT_EQ(progress, Progress::head);
        }
    }
    EXPECT_TRUE(parser.idle());
}

TEST(RequestParser, TakesLargeBodiesWithTheHeadStillInPlace) {
    for (std::size_t size : {0u, 1u, 3'000u, 4'096u, 70'000u, 100'000u}) {
        std::string body(size, 'b');
        RequestParser parser(small_limits());
        std::string bytes = with_fields("Content-Length: " + std::to_string(size) + "\r\n") + body;
        ASSERT_EQ(feed(parser, bytes, 1'000), Progress::request) << size;
        EXPECT_EQ(parser.body(), body);
        EXPECT_EQ(parser.head().path, "/a");
        // Readable, as promised: a sanitizer would object.
        char sum = 0;
        for (std::size_t i = 0; i < BodyBuffer::padding; ++i)
            sum = static_cast<char>(sum + parser.body().data()[size + i]);
        EXPECT_NE(parser.body().data(), nullptr) << sum;
    }
}

TEST(RequestParser, DecodesChunksHoweverTheyAreCut) {
    const std::string bytes = with_fields("Transfer-Encoding: chunked\r\n") +
                              "5\r\nhello\r\n1;ext=\"v\"\r\n \r\n00a\r\n0123456789\r\n0\r\n"
                              "X-Trailer: ignored\r\n\r\nGET";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        RequestParser parser(small_limits());
        ASSERT_EQ(feed(parser, bytes, step), Progress::request) << step;
        EXPECT_EQ(parser.body(), "hello 0123456789");
        EXPECT_EQ(parser.head().fields.size(), 2u) << "trailers are no fields";
    }
}

struct Row {
    const char* what;
    std::string bytes;
    int status;
};

std::vector<Row> rows() {
    std::string chunked = with_fields("Transfer-Encoding: chunked\r\n");
    std::string nul("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n", 30);
    std::string nul_value("GET /a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 37);
    std::string long_target = "GET /" + std::string(300, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
    std::string six_fields = "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n";
    return {
        {"gzip alone", with_fields("Transfer-Encoding: gzip\r\n"), 400},
        {"chunked, identity", with_fields("Transfer-Encoding: chunked, identity\r\n"), 400},
        {"gzip, chunked", with_fields("Transfer-Encoding: gzip, chunked\r\n"), 400},
        {"xchunked", with_fields("Transfer-Encoding: xchunked\r\n"), 400},
        {"two codings", with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
         400},
        {"empty coding", with_fields("Transfer-Encoding: \r\n"), 400},
        {"coding, length", with_fields("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400},
        {"length, coding", with_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
        {"coding on 1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"no Host", "GET /a HTTP/1.1\r\n\r\n", 400},
        {"two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
        {"two Hosts on 1.0", "GET /a HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400},
        {"empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400},
        {"odd Host", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"odd port", "GET /a HTTP/1.1\r\nHost: a:1x\r\n\r\n", 400},
        {"folded field", with_fields("X: a\r\n b\r\n"), 400},
        {"folded with tab", with_fields("X: a\r\n\tb\r\n"), 400},
        {"blank before fields", "GET /a HTTP/1.1\r\n Host: h\r\n\r\n", 400},
        {"bare LF in fields", "GET /a HTTP/1.1\nHost: h\n\n", 400},
        {"one bare LF", "GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
        {"bare CR", with_fields("X: a\rb\r\n"), 400},
        {"blank before colon", with_fields("X : a\r\n"), 400},
        {"no colon", with_fields("Xa\r\n"), 400},
        {"empty name", with_fields(": a\r\n"), 400},
        {"length +3", with_fields("Content-Length: +3\r\n"), 400},
        {"negative length", with_fields("Content-Length: -3\r\n"), 400},
        {"hex length", with_fields("Content-Length: 0x3\r\n"), 400},
        {"list of lengths", with_fields("Content-Length: 3, 3\r\n"), 400},
        {"empty length", with_fields("Content-Length:\r\n"), 400},
        {"differing lengths", with_fields("Content-Length: 3\r\nContent-Length: 4\r\n"), 400},
        {"equal lengths", with_fields("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
        {"overflowing length", with_fields("Content-Length: 99999999999999999999\r\n"), 400},
        {"length over the limit", with_fields("Content-Length: 100001\r\n"), 413},
        {"chunk over the limit", chunked + "186a1\r\n", 413},
        {"huge chunk size", chunked + "fffffffffffffffffff\r\n", 413},
        {"sixteen zeros", chunked + "0000000000000000\r\n", 400},
        {"chunk size +5", chunked + "+5\r\nhello\r\n", 400},
        {"chunk size 0x5", chunked + "0x5\r\nhello\r\n", 400},
        {"blank after size", chunked + "5 \r\nhello\r\n", 400},
        {"chunk too long", chunked + "5\r\nhelloX\r\n", 400},
        {"bare LF after size", chunked + "5\nhello\r\n", 400},
        {"bare LF in extension", chunked + "5;a\nb\r\nhello\r\n", 400},
        {"long extension", chunked + "5;" + std::string(300, 'x') + "\r\n", 400},
        {"many trailers", chunked + "0\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n", 400},
        {"bare LF in trailer", chunked + "0\r\nX: a\n\r\n", 400},
        {"folded trailer", chunked + "0\r\nX: a\r\n b\r\n\r\n", 400},
        {"header too large", with_fields("X: " + std::string(2'000, 'x') + "\r\n"), 431},
        {"header without end", "GET /a HTTP/1.1\r\nX: " + std::string(3'000, 'x'), 431},
        {"too many fields", with_fields(six_fields), 431},
        {"target too long", long_target, 414},
        {"target without end", "GET /" + std::string(3'000, 'a'), 414},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
        {"NUL first", std::string("\0GET / HTTP/1.1\r\n", 17), 400},
        {"NUL in target", nul, 400},
        {"NUL in value", nul_value, 400},
        {"version 2.0", "GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"version 1.2", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", 505},
        {"version 0.9", "GET /a HTTP/0.9\r\nHost: h\r\n\r\n", 505},
        {"no version", "GET /a\r\n\r\n", 400},
        {"odd version", "GET /a HTTP/x.y\r\nHost: h\r\n\r\n", 400},
        {"small http", "GET /a http/1.1\r\nHost: h\r\n\r\n", 400},
        {"two blanks", "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"blank in target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"star for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"blank first", " GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"two empty lines first", "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"one empty line first", "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"absolute target", "GET http://h:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"star for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"IPv6 Host", "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200},
        {"1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", 200},
        {"Chunked in capitals", with_fields("Transfer-Encoding: Chunked\r\n") + "0\r\n\r\n", 200},
    };
}

TEST(RequestParser, RefusesWhatCouldBeReadInTwoWays) {
    for (const Row& row : rows()) {
        for (std::size_t step : {std::size_t{1}, std::size_t{7}, row.bytes.size()})
            EXPECT_EQ(status_of_bytes(row.bytes, step), row.status) << row.what << " by " << step;
    }
}

TEST(RequestParser, UnderstandsConnectionAndExpectation) {
    auto head_of = [](std::string bytes, auto check) {
        RequestParser parser(small_limits());
        ASSERT_EQ(feed(parser, bytes, bytes.size()), Progress::request);
        check(parser.head());
    };
    head_of("GET / HTTP/1.0\r\n\r\n", [](const RequestHead& head) {
        EXPECT_FALSE(head.keep_alive);
    });
    head_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [](const RequestHead& head) {
        EXPECT_TRUE(head.keep_alive);
    });
    head_of(with_fields("Connection: foo, Close\r\n"), [](const RequestHead& head) {
        EXPECT_FALSE(head.keep_alive);
    });
    head_of(with_fields("Expect: 100-Continue\r\n"), [](const RequestHead& head) {
        EXPECT_EQ(head.expectation, Expectation::continue_100);
    });
    head_of(with_fields("Expect: tea\r\n"), [](const RequestHead& head) {
        EXPECT_EQ(head.expectation, Expectation::unknown);
    });
    head_of(with_fields("Content-Encoding: gzip\r\n"), [](const RequestHead& head) {
        EXPECT_TRUE(head.encoded);
    });
}

TEST(RequestParser, SaysTheHeadBeforeTheBody) {
    RequestParser parser(small_limits());
    std::string bytes = with_fields("Content-Length: 5\r\n");
    std::span<char> room = parser.prepare();
    std::memcpy(room.data(), bytes.data(), bytes.size());
    parser.commit(bytes.size());
    EXPECT_EQ(parser.advance(), Progress::head);
    EXPECT_TRUE(parser.has_head());
    EXPECT_EQ(parser.advance(), Progress::need_more);
    EXPECT_FALSE(parser.idle());
}

}  // namespace

}  // namespace adtally::http
