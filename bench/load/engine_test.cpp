#include "load/engine.hpp"

#include <gmock/gmock.h>

#include "load/test_support.hpp"

namespace adtally::load {
namespace {

RequestOptions request_options(std::size_t batch) {
    return RequestOptions{.host = "localhost:1", .path = "/p", .batch = batch, .seed = 5};
}

EngineOptions engine_options(const TinyServer& server) {
    EngineOptions options;
    options.server = server.address();
    options.connections = 2;
    options.warmup = std::chrono::duration<double>{0};
    options.duration = std::chrono::duration<double>{0.2};
    options.per_second = 500;
    return options;
}

TEST(Engine, OpenLoopSendsWhatTheScheduleSays) {
    TinyServer server{accepted_answer};
    EngineResult result;
    {
        Requests requests{request_options(1)};
        Engine engine{engine_options(server), requests};
        auto run = engine.run();
        ASSERT_TRUE(run);
        result = run.value();
    }
    EXPECT_EQ(result.requests, 100u);
    EXPECT_EQ(result.acknowledged, 100u);
    EXPECT_EQ(result.events, 100u);
    EXPECT_EQ(result.statuses[202], 100u);
    EXPECT_EQ(result.ack.count(), 100u);
    EXPECT_EQ(server.served(), 100);
}

TEST(Engine, WarmupIsSentAndNotMeasured) {
    TinyServer server{accepted_answer};
    EngineOptions options = engine_options(server);
    options.warmup = std::chrono::duration<double>{0.1};
    options.duration = std::chrono::duration<double>{0.1};
    {
        Requests requests{request_options(1)};
        Engine engine{options, requests};
        auto run = engine.run();
        ASSERT_TRUE(run);
        EXPECT_EQ(run.value().requests, 50u);
    }
    EXPECT_EQ(server.served(), 100);
}

// The first answer comes 300 ms late and there is one connection: the 99 requests that were due
// meanwhile had to wait too, and say so, because their latency counts from when they were due.
TEST(Engine, WaitingForAConnectionCounts) {
    TinyServer server{accepted_answer, Milliseconds{300}};
    EngineOptions options = engine_options(server);
    options.connections = 1;
    options.per_second = 1'000;
    options.duration = std::chrono::duration<double>{0.1};
    Requests requests{request_options(1)};
    Engine engine{options, requests};
    auto run = engine.run();
    ASSERT_TRUE(run);
    EXPECT_EQ(run.value().acknowledged, 100u);
    EXPECT_GE(run.value().ack.max(), 300'000u);
    EXPECT_GE(run.value().ack.percentile(0.01), 200'000u);
    EXPECT_GE(run.value().ack.mean(), 250'000);
}

TEST(Engine, ClosedLoopStopsAfterItsRequests) {
    TinyServer server{accepted_answer};
    EngineOptions options = engine_options(server);
    options.closed = true;
    options.duration = std::chrono::duration<double>{60};
    options.most_requests = 500;
    Requests requests{request_options(1)};
    Engine engine{options, requests};
    auto run = engine.run();
    ASSERT_TRUE(run);
    EXPECT_EQ(run.value().acknowledged, 500u);
}

TEST(Engine, CountsErrorsByKind) {
    TinyServer refusing{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
    EngineOptions options = engine_options(refusing);
    options.most_requests = 10;
    {
        Requests requests{request_options(1)};
        Engine engine{options, requests};
        auto run = engine.run();
        ASSERT_TRUE(run);
        EXPECT_EQ(run.value().error_count(), 10u);
        EXPECT_EQ(run.value().statuses.at(503), 10u);
    }
    TinyServer closing{""};
    options.server = closing.address();
    options.most_requests = 2;
    Requests requests{request_options(1)};
    Engine engine{options, requests};
    auto run = engine.run();
    ASSERT_TRUE(run);
    EXPECT_EQ(run.value().errors.at("connection"), 2u);
}

TEST(Engine, SeesThatABatchWasNotTakenWhole) {
    TinyServer server{"HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"accepted\":8,}"};
    EngineOptions options = engine_options(server);
    options.batch = 10;
    options.most_requests = 5;
    Requests requests{request_options(10)};
    Engine engine{options, requests};
    auto run = engine.run();
    ASSERT_TRUE(run);
    EXPECT_EQ(run.value().events, 40u);
    EXPECT_EQ(run.value().rejected_events, 10u);
}

TEST(Engine, SaysWhenNobodyListens) {
    sockaddr_in address{};
    { address = TinyServer{accepted_answer}.address(); }
    EngineOptions options;
    options.server = address;
    options.timeout = Milliseconds{100};
    Requests requests{request_options(1)};
    Engine engine{options, requests};
    EXPECT_FALSE(engine.run());
}

}  // namespace
}  // namespace adtally::load
