#include "platform/http/request_parser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "platform/http/framing_rows.hpp"

namespace adtally::http {

namespace {

using Progress = RequestParser::Progress;
using test::with_fields;

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
    limits.max_body_bytes = test::row_max_body_bytes;
    limits.head.max_fields = test::row_max_fields;
    return limits;
}

int status_of_bytes(std::string_view bytes, std::size_t step) {
    RequestParser parser(small_limits());
    Progress progress = feed(parser, bytes, step);
    if (progress == Progress::error)
        return parser.error().status;
    return progress == Progress::request ? 200 : 0;
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
        bytes +=
            "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
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

TEST(RequestParser, RefusesWhatCouldBeReadInTwoWays) {
    for (const test::FramingRow& row : test::framing_rows()) {
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
    head_of("GET / HTTP/1.0\r\n\r\n",
            [](const RequestHead& head) { EXPECT_FALSE(head.keep_alive); });
    head_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            [](const RequestHead& head) { EXPECT_TRUE(head.keep_alive); });
    head_of(with_fields("Connection: foo, Close\r\n"),
            [](const RequestHead& head) { EXPECT_FALSE(head.keep_alive); });
    head_of(with_fields("Expect: 100-Continue\r\n"), [](const RequestHead& head) {
        EXPECT_EQ(head.expectation, Expectation::continue_100);
    });
    head_of(with_fields("Expect: tea\r\n"),
            [](const RequestHead& head) { EXPECT_EQ(head.expectation, Expectation::unknown); });
    head_of(with_fields("Content-Encoding: gzip\r\n"),
            [](const RequestHead& head) { EXPECT_TRUE(head.encoded); });
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
