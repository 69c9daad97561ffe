// The end of a server, orderly and not.
#include <gtest/gtest.h>

#include <thread>

#include "platform/http/test_support.hpp"

namespace adtally::http {

namespace {

using test::Answer;
using test::RawClient;

Deadline soon() {
    return Deadline::after(test::patience);
}

Deadline now() {
    return Deadline::after(Milliseconds{0});
}

TEST(ServerStop, AnswersWhatItHasReadAndClosesTheIdle) {
    ServerOptions options;
    options.io_threads = 2;
    test::TestServer server(options);
    RawClient idle(server.port());
    RawClient used(server.port());
    EXPECT_EQ(used.ask(test::post("/echo", "x")).status, 200);
    RawClient busy(server.port());
    busy.send(test::post("/hold", ""));
    Responder responder = server.responders.take();

    std::thread stopping([&] { server.server().stop(soon()); });
    EXPECT_EQ(idle.read_to_end(), "");
    EXPECT_EQ(used.read_to_end(), "");
    responder.send(test::text(200, "finished"));
    Answer answer = busy.read();
    EXPECT_EQ(answer.body, "finished");
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(busy.closed());
    stopping.join();
    EXPECT_THROW(RawClient{server.port()}, std::runtime_error);
}

TEST(ServerStop, FinishesRequestsThatAreStillArriving) {
    test::TestServer server;
    RawClient idle(server.port());
    RawClient client(server.port());
    client.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.read().status, 100);
    std::thread stopping([&] { server.server().stop(soon()); });
    EXPECT_EQ(idle.read_to_end(), "") << "the server drains";
    EXPECT_EQ(client.ask("arrive").body, "arrive");
    EXPECT_TRUE(client.closed());
    stopping.join();
}

TEST(ServerStop, ClosesWhatIsNotFinishedAtTheDeadline) {
    test::TestServer server;
    RawClient client(server.port());
    client.send(test::post("/hold", ""));
    Responder responder = server.responders.take();
    server.server().stop(now());
    EXPECT_TRUE(client.closed());
    responder.send(test::text(200, "into the void"));
}

TEST(ServerStop, OutlivedByRespondersAndStreams) {
    test::TestServer server;
    RawClient client(server.port());
    client.send(test::post("/hold", "a body that its responder keeps alive"));
    Responder responder = server.responders.take();
    RawClient listener(server.port());
    listener.send(test::get("/stream"));
    std::shared_ptr<BodyStream> stream = server.streams.take();
    RawClient late_listener(server.port());
    late_listener.send(test::post("/hold", ""));
    Responder late_stream = server.responders.take();
    server.destroy();
    responder.send(test::text(200, "into the void"));
    EXPECT_FALSE(stream->write("data: 1\n\n"));
    stream->end();
    std::shared_ptr<BodyStream> never = late_stream.stream(Response{});
    EXPECT_FALSE(never->write("data: 1\n\n"));
}

TEST(ServerStop, EndsStreams) {
    test::TestServer server;
    RawClient client(server.port());
    client.send(test::get("/stream"));
    std::shared_ptr<BodyStream> stream = server.streams.take();
    stream->write("data: 1\n\n");
    EXPECT_TRUE(client.read_until("data: 1"));
    server.server().stop(soon());
    EXPECT_FALSE(stream->write("data: 2\n\n"));
    EXPECT_TRUE(client.read_to_end().ends_with("0\r\n\r\n"));
}

TEST(ServerStop, MayBeCalledAgainAndFromSeveralThreads) {
    test::TestServer server;
    std::thread other([&] { server.server().stop(soon()); });
    server.server().stop(soon());
    other.join();
    server.server().stop(now());
}

TEST(ServerStop, NeedsNoStart) {
    observability::MetricRegistry metrics("test");
    ServerOptions options;
    options.bind = "127.0.0.1";
    Server server(options, Router({}), metrics);
    EXPECT_GT(server.port(), 0);
    server.stop(soon());
    EXPECT_THROW(RawClient{server.port()}, std::runtime_error);
}

TEST(ServerStart, SaysThatThePortIsInUse) {
    test::TestServer server;
    observability::MetricRegistry metrics("test");
    ServerOptions options;
    options.bind = "127.0.0.1";
    options.port = server.port();
    std::string port = std::to_string(server.port());
    try {
        Server second(options, Router({}), metrics);
        FAIL() << "two servers on one port";
    } catch (const std::runtime_error& error) {
        EXPECT_EQ(std::string(error.what()),
                  "port " + port +
                      " is already in use; stop the other process (see: ss -ltnp 'sport = :" +
                      port + "') or choose others with --port-offset N");
    }
}

TEST(ServerStart, SaysWhatIsWrongWithAnAddress) {
    observability::MetricRegistry metrics("test");
    ServerOptions options;
    options.bind = "localhost.example";
    EXPECT_THROW(Server(options, Router({}), metrics), std::runtime_error);
    options.bind = "192.0.2.1";
    EXPECT_THROW(Server(options, Router({}), metrics), std::runtime_error);
    options.bind = "127.0.0.1";
    options.trusted_proxies = {"somewhere"};
    EXPECT_THROW(Server(options, Router({}), metrics), std::runtime_error);
}

}  // namespace

}  // namespace adtally::http
