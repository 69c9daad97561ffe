#include "platform/http/client.hpp"

#include <gtest/gtest.h>

#include "platform/http/test_support.hpp"

namespace adtally::http {

namespace {

struct ClientTest : ::testing::Test {
    test::TestServer server;
    Client client;

    std::string url(std::string_view path) {
        return "http://127.0.0.1:" + std::to_string(server.port()) + std::string(path);
    }
};

TEST_F(ClientTest, SendsAndReceives) {
    for (int i = 0; i < 3; ++i) {
        Result<ClientResponse> answer = client.send({.method = "POST",
                                                     .url = url("/echo"),
                                                     .headers = {{"Content-Type", "a/b"}},
                                                     .body = "hello"});
        ASSERT_TRUE(answer.has_value()) << answer.error().message;
        EXPECT_EQ(answer.value().status, 200);
        EXPECT_EQ(answer.value().body, "hello");
        EXPECT_NE(std::find(answer.value().headers.begin(), answer.value().headers.end(),
                            std::pair<std::string, std::string>("content-type", "text/plain")),
                  answer.value().headers.end());
    }
    Result<ClientResponse> head = client.send({.method = "HEAD", .url = url("/seen/a")});
    ASSERT_TRUE(head.has_value()) << head.error().message;
    EXPECT_EQ(head.value().body, "");
}

TEST_F(ClientTest, TakesAnyStatusForAnAnswer) {
    EXPECT_EQ(client.send({.url = url("/nowhere")}).value().status, 404);
    EXPECT_EQ(client.send({.method = "POST", .url = url("/nowhere")}).value().status, 404);
    EXPECT_EQ(client.send({.url = url("/drop")}).value().status, 500);
}

TEST_F(ClientTest, SaysThatNobodyAnswered) {
    std::uint16_t port = server.port();
    server.destroy();
    Result<ClientResponse> answer =
        client.send({.url = "http://127.0.0.1:" + std::to_string(port) + "/"});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
}

TEST_F(ClientTest, EndsAtItsTimeout) {
    Result<ClientResponse> answer =
        client.send({.method = "POST", .url = url("/hold"), .timeout = Milliseconds{50}});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::timed_out);
}

TEST_F(ClientTest, RefusesWhatItCannotSend) {
    auto code_of = [&](ClientRequest request) { return client.send(request).error().code; };
    EXPECT_EQ(code_of({.url = "file:///etc/hostname"}), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of({.url = "http://"}), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of({.url = url("/echo"), .headers = {{"X", "a\r\nY: b"}}}),
              ErrorCode::invalid_argument);
    EXPECT_EQ(code_of({.method = "", .url = url("/echo")}), ErrorCode::invalid_argument);
}

TEST_F(ClientTest, BoundsTheAnswer) {
    Result<ClientResponse> answer = client.send({.url = url("/large")});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::too_large);
}

}  // namespace

}  // namespace adtally::http
