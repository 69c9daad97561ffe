// Slow clients and too many of them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>

#include "platform/http/test_support.hpp"
#include "platform/observability/log.hpp"

namespace adtally::http {

namespace {

using test::Answer;
using test::eventually;
using test::RawClient;

ServerOptions impatient() {
    ServerOptions options;
    options.header_timeout = Milliseconds{100};
    options.body_timeout = Milliseconds{100};
    options.idle_timeout = Milliseconds{100};
    options.write_timeout = Milliseconds{100};
    return options;
}

double gauge(const observability::MetricRegistry& metrics, std::string_view name) {
    std::string text = metrics.prometheus_text();
    std::size_t at = text.find("\n" + std::string(name) + "{");
    std::size_t value = text.find("} ", at);
    return at == std::string::npos ? -1 : std::stod(text.substr(value + 2));
}

TEST(ServerLimits, TellsASlowHeader) {
    test::TestServer server(impatient());
    RawClient client(server.port());
    Answer answer = client.ask("GET /seen/a HTTP/1.1\r\nHost: h\r\nX: ");
    EXPECT_EQ(answer.status, 408);
    EXPECT_NE(answer.body.find("header_timeout"), std::string::npos);
    client.finish_sending();
    EXPECT_TRUE(client.closed());
}

TEST(ServerLimits, TellsASlowBody) {
    test::TestServer server(impatient());
    RawClient client(server.port());
    Answer answer = client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nfive!");
    EXPECT_EQ(answer.status, 408);
    EXPECT_NE(answer.body.find("body_timeout"), std::string::npos);
    RawClient chunked(server.port());
    EXPECT_EQ(chunked.ask("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r")
                  .status,
              408);
}

TEST(ServerLimits, ADripDoesNotMoveTheDeadline) {
    test::TestServer server(impatient());
    RawClient client(server.port());
    client.send("GET /seen/a HTTP/1.1\r\nHost: h\r\nX: ");
    // One byte after another until the server has had enough, which it says.
    Deadline deadline = Deadline::after(test::patience);
    bool taken = true;
    while (taken && !deadline.passed())
        taken = client.send("a") && gauge(server.metrics, "adtally_http_connections") > 0 &&
                server.metrics.prometheus_text().find("status=\"408\"") == std::string::npos;
    EXPECT_EQ(client.read().status, 408);
}

TEST(ServerLimits, ClosesIdleConnectionsWithoutAWord) {
    test::TestServer server(impatient());
    RawClient silent(server.port());
    EXPECT_EQ(silent.read_to_end(), "");
    RawClient client(server.port());
    EXPECT_EQ(client.ask(test::post("/echo", "x")).status, 200);
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_TRUE(eventually([&] { return gauge(server.metrics, "adtally_http_connections") == 0; }));
}

TEST(ServerLimits, DropsAClientThatDoesNotRead) {
    test::TestServer server(impatient());
    RawClient client(server.port(), 4096);
    client.send(test::get("/large"));
    EXPECT_TRUE(eventually([&] {
        return server.metrics.prometheus_text().find("uri=\"/large\"") != std::string::npos;
    }));
    EXPECT_TRUE(eventually([&] { return gauge(server.metrics, "adtally_http_connections") == 0; }));
    std::string got = client.read_to_end();
    EXPECT_LT(got.size(), 8u << 20);
    EXPECT_TRUE(client.was_reset());
}

TEST(ServerLimits, WaitsForAHandlerHoweverLongItTakes) {
    test::TestServer server(impatient());
    RawClient client(server.port());
    client.send(test::post("/hold", ""));
    Responder responder = server.responders.take();
    RawClient other(server.port());
    EXPECT_EQ(other.read_to_end(), "") << "all timeouts have passed";
    responder.send(test::text(200, "late"));
    EXPECT_EQ(client.read().body, "late");
}

TEST(ServerLimits, RefusesConnectionsOverTheLimitWithAnAnswer) {
    ServerOptions options;
    options.max_connections = 2;
    test::TestServer server(options);
    auto first = std::make_unique<RawClient>(server.port());
    RawClient second(server.port());
    EXPECT_EQ(first->ask(test::post("/echo", "1")).status, 200);
    EXPECT_EQ(second.ask(test::post("/echo", "2")).status, 200);
    RawClient third(server.port());
    Answer answer = third.read();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("Retry-After"), "1");
    third.finish_sending();
    EXPECT_TRUE(third.closed());
    EXPECT_EQ(gauge(server.metrics, "adtally_http_connections"), 2);

    first.reset();
    EXPECT_TRUE(eventually([&] { return gauge(server.metrics, "adtally_http_connections") == 1; }));
    RawClient fourth(server.port());
    EXPECT_EQ(fourth.ask(test::post("/echo", "4")).body, "4");
}

TEST(ServerLimits, RefusesOneClientsConnectionsOverItsLimit) {
    ServerOptions options;
    options.max_connections_per_ip = 1;
    test::TestServer server(options);
    RawClient first(server.port());
    EXPECT_EQ(first.ask(test::post("/echo", "1")).status, 200);
    RawClient second(server.port());
    EXPECT_EQ(second.read().status, 429);
    EXPECT_NE(server.metrics.prometheus_text().find("reason=\"connections_per_ip\"} 1"),
              std::string::npos);
}

TEST(ServerLimits, LimitsTheRateOfEachClient) {
    ServerOptions options;
    options.rate_limit_per_ip = 0.001;
    options.rate_limit_burst = 2;
    options.trusted_proxies = {"127.0.0.0/8"};
    test::TestServer server(options);
    RawClient client(server.port());
    EXPECT_EQ(client.ask(test::post("/echo", "1")).status, 200);
    EXPECT_EQ(client.ask(test::post("/echo", "2")).status, 200);
    Answer answer = client.ask(test::post("/echo", "3"));
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.header("Retry-After"), "1000");
    // The connection lives: its request was read whole. Another client behind the proxy is free.
    EXPECT_EQ(client.ask(test::post("/echo", "4", "X-Forwarded-For: 192.0.2.1\r\n")).status, 200);
    // A body that is still to come is not waited for.
    EXPECT_EQ(client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").status,
              429);
    client.finish_sending();
    EXPECT_TRUE(client.closed());
}

TEST(ServerLimits, RefusesRequestsWhenTooManyAreInFlight) {
    ServerOptions options;
    options.max_requests_in_flight = 1;
    test::TestServer server(options);
    RawClient busy(server.port());
    busy.send(test::post("/hold", ""));
    Responder responder = server.responders.take();
    EXPECT_EQ(gauge(server.metrics, "adtally_http_requests_in_flight"), 1);
    RawClient client(server.port());
    Answer answer = client.ask(test::post("/echo", "x"));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("Retry-After"), "1");
    responder.send(test::text(200, "done"));
    EXPECT_EQ(busy.read().body, "done");
    EXPECT_EQ(client.ask(test::post("/echo", "x")).status, 200) << "on the same connection";
}

// Takes every descriptor that the process may have, and gives them back.
class NoDescriptors {
public:
    NoDescriptors() {
        getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few{256, before_.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0))
            taken_.push_back(fd);
    }
    ~NoDescriptors() {
        while (!taken_.empty())
            free_one();
        setrlimit(RLIMIT_NOFILE, &before_);
    }
    void free_one() {
        ::close(taken_.back());
        taken_.pop_back();
    }

private:
    rlimit before_{};
    std::vector<int> taken_;
};

TEST(ServerLimits, WaitsForDescriptorsInsteadOfSpinning) {
    test::TestServer server;
    std::optional<RawClient> client;
    std::uint64_t warned = observability::lines_logged(observability::Level::warn);
    {
        NoDescriptors none;
        none.free_one();
        client.emplace(server.port());
        client->send(test::post("/echo", "patient"));
        EXPECT_TRUE(eventually(
            [&] { return observability::lines_logged(observability::Level::warn) > warned; }));
        EXPECT_LE(observability::lines_logged(observability::Level::warn), warned + 10);
    }
    EXPECT_EQ(client->read().body, "patient");
}

TEST(ServerLimits, ForgetsARequestWhoseClientHasGone) {
    ServerOptions options;
    options.idle_timeout = options.header_timeout = Milliseconds{100};
    test::TestServer server(options);
    auto client = std::make_unique<RawClient>(server.port());
    client->send(test::post("/hold", ""));
    Responder responder = server.responders.take();
    client.reset();
    responder.send(test::text(200, "to nobody"));
    EXPECT_TRUE(
        eventually([&] { return gauge(server.metrics, "adtally_http_requests_in_flight") == 0; }));
    EXPECT_TRUE(eventually([&] { return gauge(server.metrics, "adtally_http_connections") == 0; }));
}

}  // namespace

}  // namespace adtally::http
