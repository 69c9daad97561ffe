#include "load/engine.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

namespace adtally::load {
namespace {

RequestOptions request_options(std::size_t batch) {
    return RequestOptions{.host = "localhost:1", .path = "/p", .batch = batch, .seed = 5};
}

// Gives every request the same answer; an empty one means that it closes the connection. The first
// answer of all can be held back for a while.
class TinyServer {
public:
    explicit TinyServer(std::string answer, Milliseconds hold_first = Milliseconds{0})
        : answer_(std::move(answer)), hold_first_(hold_first) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        address_.sin_family = AF_INET;
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
        socklen_t size = sizeof address_;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size);
        EXPECT_EQ(::listen(listener_, 64), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~TinyServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    sockaddr_in address() const { return address_; }
    int served() const { return served_; }

private:
    void serve() {
        std::vector<std::thread> sessions;
        for (;;) {
            int file = ::accept(listener_, nullptr, nullptr);
            if (file < 0) {
                break;
            }
            sessions.emplace_back([this, file] { session(file); });
        }
        for (std::thread& one : sessions) {
            one.join();
        }
    }
    void session(int file) {
        std::vector<char> buffer(65'536);
        while (::recv(file, buffer.data(), buffer.size(), 0) > 0) {
            if (served_.fetch_add(1) == 0) {
                pollfd nothing{-1, 0, 0};
                ::poll(&nothing, 1, static_cast<int>(hold_first_.count()));
            }
            if (answer_.empty() ||
                ::send(file, answer_.data(), answer_.size(), MSG_NOSIGNAL) <= 0) {
                break;
            }
        }
        ::close(file);
    }

    std::string answer_;
    Milliseconds hold_first_;
    int listener_ = -1;
    sockaddr_in address_{};
    std::atomic<int> served_{0};
    std::thread thread_;
};

const std::string accepted_answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";

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
