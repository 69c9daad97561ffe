// What a well-behaved client sees.
#include <gtest/gtest.h>

#include <thread>

#include "platform/http/test_support.hpp"

namespace adtally::http {

namespace {

using test::Answer;
using test::RawClient;

std::string line_of(const std::string& body, std::string_view name) {
    std::size_t at = body.find(std::string(name) + "=");
    if (at == std::string::npos)
        return "(none)";
    at += name.size() + 1;
    return body.substr(at, body.find('\n', at) - at);
}

TEST(ServerAnswers, ServesManyRequestsOnOneConnection) {
    test::TestServer server;
    RawClient client(server.port());
    for (std::size_t size : {0u, 1u, 300u, 5'000u, 1'000'000u, 10u}) {
        std::string body(size, 'b');
        Answer answer = client.ask(test::post("/echo", body));
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, body);
        EXPECT_EQ(answer.header("Content-Type"), "text/plain");
        EXPECT_EQ(answer.header("Connection"), "");
        EXPECT_EQ(answer.header("Date").size(), 29u);
    }
}

TEST(ServerAnswers, AnswersPipelinedRequestsInOrder) {
    test::TestServer server;
    RawClient client(server.port());
    std::string all;
    for (int i = 0; i < 100; ++i)
        all += test::post("/echo", std::to_string(i));
    client.send(all);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(client.read().body, std::to_string(i));
    // The first is answered late: the second waits for it.
    client.send(test::post("/hold", "") + test::post("/echo", "second"));
    server.responders.take().send(test::text(200, "first"));
    EXPECT_EQ(client.read().body, "first");
    EXPECT_EQ(client.read().body, "second");
}

TEST(ServerAnswers, TellsAHandlerWhatWasAsked) {
    ServerOptions options;
    options.trusted_proxies = {"127.0.0.1"};
    test::TestServer server(options);
    RawClient client(server.port());
    Answer answer = client.ask(
        test::get("/seen/a%2Fb?x=1",
                  "X-Forwarded-For: 192.0.2.1, 198.51.100.7\r\n"
                  "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"));
    EXPECT_EQ(line_of(answer.body, "parameter"), "a/b");
    EXPECT_EQ(line_of(answer.body, "method"), "GET");
    EXPECT_EQ(line_of(answer.body, "path"), "/seen/a%2Fb");
    EXPECT_EQ(line_of(answer.body, "query"), "x=1");
    EXPECT_EQ(line_of(answer.body, "route"), "/seen/{name}");
    EXPECT_EQ(line_of(answer.body, "client"), "198.51.100.7");
    EXPECT_EQ(line_of(answer.body, "peer"), "127.0.0.1");
    EXPECT_EQ(line_of(answer.body, "trace"), "4bf92f3577b34da6a3ce929d0e0e4736");
    answer = client.ask(test::get("/seen/b"));
    EXPECT_EQ(line_of(answer.body, "client"), "127.0.0.1");
    EXPECT_EQ(line_of(answer.body, "trace").size(), 32u);
    EXPECT_NE(line_of(answer.body, "trace"), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(ServerAnswers, DoesNotBelieveAStrangersForwardedFor) {
    test::TestServer server;
    RawClient client(server.port());
    Answer answer = client.ask(test::get("/seen/a", "X-Forwarded-For: 192.0.2.1\r\n"));
    EXPECT_EQ(line_of(answer.body, "client"), "127.0.0.1");
}

TEST(ServerAnswers, KeepsTheConnectionAsTheClientWishes) {
    test::TestServer server;
    RawClient close(server.port());
    Answer answer = close.ask(test::post("/echo", "x", "Connection: close\r\n"));
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(close.closed());
    RawClient old(server.port());
    EXPECT_EQ(old.ask("GET /seen/a HTTP/1.0\r\n\r\n").header("Connection"), "close");
    EXPECT_TRUE(old.closed());
    RawClient kept(server.port());
    std::string request = "GET /seen/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    EXPECT_EQ(kept.ask(request).header("Connection"), "keep-alive");
    EXPECT_EQ(kept.ask(request).status, 200);
}

TEST(ServerAnswers, SendsNoBodyWhereNoneBelongs) {
    test::TestServer server;
    RawClient client(server.port());
    client.send("HEAD /seen/a HTTP/1.1\r\nHost: h\r\n\r\n");
    Answer head = client.read(true);
    EXPECT_EQ(head.status, 200);
    EXPECT_GT(std::stoi(head.header("Content-Length")), 50);
    Answer nothing = client.ask(test::get("/nothing"));
    EXPECT_EQ(nothing.status, 204);
    EXPECT_EQ(nothing.header("Content-Length"), "");
    client.send("HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(client.read(true).status, 404);
    EXPECT_EQ(client.ask(test::post("/echo", "in step")).body, "in step");
}

TEST(ServerAnswers, AnswersAClientThatHasFinishedSending) {
    test::TestServer server;
    RawClient client(server.port());
    client.send(test::post("/hold", ""));
    client.finish_sending();
    server.responders.take().send(test::text(200, "still"));
    EXPECT_EQ(client.read().body, "still");
    EXPECT_TRUE(client.closed());
}

TEST(ServerAnswers, TakesAnswersFromManyThreads) {
    ServerOptions options;
    options.io_threads = 2;
    test::TestServer server(options);
    constexpr int clients = 8;
    constexpr int rounds = 50;
    std::vector<std::thread> workers;
    for (int i = 0; i < 4; ++i) {
        workers.emplace_back([&server] {
            for (int round = 0; round < clients * rounds / 4; ++round)
                server.responders.take().send(test::text(202, "taken"));
        });
    }
    std::vector<std::unique_ptr<RawClient>> open;
    for (int i = 0; i < clients; ++i)
        open.push_back(std::make_unique<RawClient>(server.port()));
    int answered = 0;
    for (int round = 0; round < rounds; ++round) {
        for (auto& client : open)
            client->send(test::post("/hold", "x"));
        for (auto& client : open)
            answered += client->read().status == 202 ? 1 : 0;
    }
    for (std::thread& worker : workers)
        worker.join();
    EXPECT_EQ(answered, clients * rounds);
}

TEST(ServerAnswers, AnswersForAHandlerThatDoesNot) {
    test::TestServer server;
    RawClient client(server.port());
    EXPECT_EQ(client.ask(test::get("/drop")).status, 500);
    EXPECT_EQ(client.ask(test::get("/throw")).status, 500);
    client.send(test::post("/hold", ""));
    { Responder dropped = server.responders.take(); }
    EXPECT_EQ(client.read().status, 500);
    EXPECT_EQ(client.ask(test::post("/echo", "well")).body, "well");
}

TEST(ServerAnswers, LetsNoFieldBreakTheHead) {
    test::TestServer server;
    RawClient client(server.port());
    Answer answer = client.ask(test::get("/inject"));
    EXPECT_EQ(answer.header("X-Evil"), "");
    EXPECT_EQ(answer.header("X-Good"), "a");
}

TEST(ServerAnswers, DecoratesEveryAnswer) {
    ServerOptions options;
    options.decorate = [](const Request& request, Response& response) {
        response.headers.emplace_back("X-Seen",
                                      std::string(request.header("Origin").value_or("none")));
    };
    test::TestServer server(options);
    RawClient client(server.port());
    EXPECT_EQ(client.ask(test::post("/echo", "", "Origin: a\r\n")).header("X-Seen"), "a");
    EXPECT_EQ(client.ask(test::get("/nowhere", "Origin: b\r\n")).header("X-Seen"), "b");
    EXPECT_EQ(client
                  .ask("POST /echo HTTP/1.1\r\nHost: h\r\nOrigin: c\r\nContent-Length: "
                       "99999999\r\n\r\n")
                  .header("X-Seen"),
              "c");
    RawClient broken(server.port());
    EXPECT_EQ(broken.ask("GET / HTTP/1.1\r\n\r\n").header("X-Seen"), "none");
}

TEST(ServerAnswers, CountsByRouteTemplate) {
    test::TestServer server;
    RawClient client(server.port());
    client.ask(test::get("/seen/a"));
    client.ask(test::get("/seen/b"));
    client.ask(test::get("/nowhere"));
    client.ask(test::get("/echo"));
    client.ask("nonsense\r\n\r\n");
    std::string text = server.metrics.prometheus_text();
    auto count = [&](std::string_view uri, std::string_view status) {
        std::size_t at = 0;
        while ((at = text.find("\nhttp_server_requests_seconds_count{", at)) != std::string::npos) {
            ++at;
            std::string line = text.substr(at, text.find('\n', at) - at);
            if (line.find("uri=\"" + std::string(uri) + "\"") != std::string::npos &&
                line.find("status=\"" + std::string(status) + "\"") != std::string::npos)
                return std::stoi(line.substr(line.rfind(' ')));
        }
        return 0;
    };
    EXPECT_EQ(count("/seen/{name}", "200"), 2) << text;
    EXPECT_EQ(count("NOT_FOUND", "404"), 1);
    EXPECT_EQ(count("UNKNOWN", "405"), 1);
    EXPECT_EQ(count("UNKNOWN", "400"), 1);
}

TEST(ServerStreams, SendsChunksAsTheyCome) {
    test::TestServer server;
    RawClient client(server.port());
    client.send(test::get("/stream"));
    std::shared_ptr<BodyStream> stream = server.streams.take();
    EXPECT_TRUE(stream->write("data: 1\n\n"));
    EXPECT_TRUE(client.read_until("9\r\ndata: 1\n\n\r\n"));
    EXPECT_TRUE(stream->write("data: 2\n\n"));
    EXPECT_TRUE(client.read_until("data: 2"));
    stream->end();
    EXPECT_FALSE(stream->write("late"));
    std::string all = client.read_to_end();
    EXPECT_NE(all.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_NE(all.find("Content-Type: text/event-stream\r\n"), std::string::npos);
    EXPECT_TRUE(all.ends_with("\r\n0\r\n\r\n")) << all;
}

TEST(ServerStreams, EndsAStreamThatItsProducerDropped) {
    test::TestServer server;
    RawClient client(server.port());
    client.send(test::get("/stream"));
    server.streams.take().reset();
    EXPECT_TRUE(client.read_to_end().ends_with("0\r\n\r\n"));
}

TEST(ServerStreams, TellsTheProducerThatTheClientHasGone) {
    test::TestServer server;
    auto client = std::make_unique<RawClient>(server.port());
    client->send(test::get("/stream"));
    std::shared_ptr<BodyStream> stream = server.streams.take();
    client.reset();
    EXPECT_TRUE(test::eventually([&] { return !stream->write("data: x\n\n"); }));
}

TEST(ServerStreams, ClosesAClientThatIsTooSlow) {
    test::TestServer server;
    RawClient client(server.port(), 4096);
    client.send(test::get("/stream"));
    std::shared_ptr<BodyStream> stream = server.streams.take();
    std::string chunk(64u << 10, 'x');
    EXPECT_TRUE(test::eventually([&] { return !stream->write(chunk); }));
    client.read_to_end();
    EXPECT_TRUE(client.was_reset());
}

TEST(ServerStreams, SendsPlainBytesToAnOldClient) {
    test::TestServer server;
    RawClient client(server.port());
    client.send("GET /stream HTTP/1.0\r\n\r\n");
    std::shared_ptr<BodyStream> stream = server.streams.take();
    stream->write("plain");
    stream->end();
    std::string all = client.read_to_end();
    EXPECT_EQ(all.find("chunked"), std::string::npos);
    EXPECT_TRUE(all.ends_with("\r\n\r\nplain")) << all;
}

}  // namespace

}  // namespace adtally::http
