// Malformed and ambiguous requests over a real socket: each gets its answer, an orderly end of the
// connection, and leaves the server as it was.
#include <gtest/gtest.h>

#include "platform/http/framing_rows.hpp"
#include "platform/http/test_support.hpp"

namespace adtally::http {

namespace {

using test::Answer;
using test::RawClient;

ServerOptions row_options() {
    ServerOptions options;
    options.max_body_bytes = test::row_max_body_bytes;
    options.max_headers = test::row_max_fields;
    return options;
}

TEST(ServerFraming, AnswersEachMalformedRequestAndCloses) {
    test::TestServer server(row_options());
    for (const test::FramingRow& row : test::framing_rows()) {
        if (row.status == 200)
            continue;
        RawClient client(server.port());
        // What stands behind a malformed request must never be taken for a request.
        Answer answer = client.ask(row.bytes + test::post("/echo", "smuggled"));
        EXPECT_EQ(answer.status, row.status) << row.what;
        EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << row.what;
        EXPECT_EQ(answer.header("Connection"), "close") << row.what;
        client.finish_sending();
        EXPECT_EQ(client.read_to_end(), "") << row.what;
        EXPECT_FALSE(client.was_reset()) << row.what;
    }
    RawClient client(server.port());
    EXPECT_EQ(client.ask(test::post("/echo", "still here")).body, "still here");
}

TEST(ServerFraming, TakesWhatOnlyLooksOdd) {
    test::TestServer server(row_options());
    for (const test::FramingRow& row : test::framing_rows()) {
        if (row.status != 200)
            continue;
        RawClient client(server.port());
        int status = client.ask(row.bytes).status;
        EXPECT_TRUE(status == 404 || status == 405) << row.what << ": " << status;
    }
}

TEST(ServerFraming, RefusesABodyOverTheLimitWithoutReadingIt) {
    test::TestServer server(row_options());
    RawClient client(server.port());
    Answer answer = client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
    EXPECT_EQ(answer.status, 413);
    EXPECT_NE(answer.body.find("body_too_large"), std::string::npos);
    EXPECT_NE(answer.body.find("\"path\":\"/echo\""), std::string::npos);
    // A client that does not look sends its body all the same and still finds its answer.
    RawClient blind(server.port());
    EXPECT_TRUE(blind.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n" +
                           std::string(4'000'000, 'x')));
    EXPECT_EQ(blind.read().status, 413);
}

TEST(ServerFraming, BoundsAChunkedBody) {
    test::TestServer server(row_options());
    RawClient client(server.port());
    std::string chunk = "2710\r\n" + std::string(10'000, 'x') + "\r\n";
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; ++i)
        client.send(chunk);
    client.send("1\r\n");
    EXPECT_EQ(client.read().status, 413);

    RawClient fitting(server.port());
    fitting.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; ++i)
        fitting.send(chunk);
    EXPECT_EQ(fitting.ask("0\r\n\r\n").body, std::string(100'000, 'x'));
}

TEST(ServerFraming, TellsAClientThatEndedInTheMiddle) {
    test::TestServer server;
    RawClient half_head(server.port());
    half_head.send("POST /echo HT");
    half_head.finish_sending();
    EXPECT_EQ(half_head.read().status, 400);
    RawClient half_body(server.port());
    half_body.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    half_body.finish_sending();
    Answer answer = half_body.read();
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body.find("request_incomplete"), std::string::npos);
    EXPECT_TRUE(half_body.closed());
}

TEST(ServerFraming, RefusesMethodsAndCodingsItDoesNotKnow) {
    test::TestServer server;
    RawClient brew(server.port());
    EXPECT_EQ(brew.ask("BREW /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 501);
    EXPECT_TRUE(brew.closed());
    RawClient connect(server.port());
    EXPECT_EQ(connect.ask("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n").status, 501);
    RawClient client(server.port());
    Answer answer = client.ask(test::get("/echo"));
    EXPECT_EQ(answer.status, 405);
    EXPECT_EQ(answer.header("Allow"), "POST");
    EXPECT_EQ(client.ask(test::get("/nowhere")).status, 404);
    EXPECT_EQ(client.ask(test::get("/seen/%zz")).status, 400);
    EXPECT_EQ(client.ask(test::post("/echo", "x", "Content-Encoding: gzip\r\n")).status, 415);
    EXPECT_EQ(client.ask(test::post("/echo", "x", "Content-Encoding: identity\r\n")).status, 200);
}

TEST(ServerFraming, ContinuesOnlyWhenTheHeadIsTaken) {
    test::TestServer server(row_options());
    RawClient client(server.port());
    client.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.read().status, 100);
    EXPECT_EQ(client.ask("ok").body, "ok");
    // The body is here already: no interim answer is needed.
    EXPECT_EQ(client.ask(test::post("/echo", "ok", "Expect: 100-continue\r\n")).status, 200);

    RawClient large(server.port());
    EXPECT_EQ(large
                  .ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n"
                       "Expect: 100-continue\r\n\r\n")
                  .status,
              413);
    RawClient odd(server.port());
    EXPECT_EQ(odd.ask(test::post("/echo", "", "Expect: tea\r\n")).status, 417);
    EXPECT_TRUE(odd.closed());
}

}  // namespace

}  // namespace adtally::http
