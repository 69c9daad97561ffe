// Delivery against a real Redis: once an incident, in order, through failures and restarts.
#include "pipeline/processor/alerts/alert_service.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "platform/redis/test_support.hpp"

namespace adtally::alerts {
namespace {

struct Delivered {
    std::mutex mutex;
    std::vector<std::string> texts;
    int failures_left = 0;
    std::vector<std::string> all() {
        std::lock_guard lock(mutex);
        return texts;
    }
};

class FakeSink final : public AlertSink {
public:
    FakeSink(std::string name, Delivered& into) : name_(std::move(name)), into_(into) {}
    std::string name() const override { return name_; }
    Status deliver(const Anomaly& anomaly) override {
        std::lock_guard lock(into_.mutex);
        if (into_.failures_left != 0) {
            into_.failures_left -= into_.failures_left > 0 ? 1 : 0;
            return Error{ErrorCode::unavailable, "told to fail"};
        }
        into_.texts.push_back(anomaly.id + " " + anomaly.state);
        return ok();
    }

private:
    std::string name_;
    Delivered& into_;
};

class AlertServiceTest : public testing::Test {
protected:
    void report(const std::string& id, const std::string& state) {
        auto reply = client_.command({"XADD",
                                      "anomalies",
                                      "*",
                                      "id",
                                      id,
                                      "rule",
                                      "ctr",
                                      "entity",
                                      "ad",
                                      "entity_id",
                                      "1",
                                      "state",
                                      state,
                                      "observed",
                                      "0.5",
                                      "threshold",
                                      "0.1",
                                      "event_time_ms",
                                      "1705327402000",
                                      "detected_at_ms",
                                      "1705327402001"});
        ASSERT_TRUE(reply.has_value());
    }
    std::unique_ptr<AlertService> start(const std::string& instance = "a") {
        AlertOptions options;
        options.redis = server_.client_options();
        options.instance = instance;
        options.poll_interval = Milliseconds{5};
        options.backoff_min = Milliseconds{5};
        options.backoff_max = Milliseconds{10};
        options.log_id = log_id_;
        options.lease = Milliseconds{30'000};  // given back at stop(); never runs out in a test
        std::vector<std::unique_ptr<AlertSink>> sinks;
        sinks.push_back(std::make_unique<FakeSink>("one", one_));
        sinks.push_back(std::make_unique<FakeSink>("two", two_));
        auto service = std::make_unique<AlertService>(options, std::move(sinks), clock_, metrics_,
                                                      crash_points_);
        service->start();
        return service;
    }
    void eventually(const std::function<bool()>& condition) {
        StopSignal never;
        Deadline deadline = Deadline::after(Milliseconds{20'000});
        while (!condition()) {
            ASSERT_FALSE(deadline.passed());
            (void)never.wait(Milliseconds{2});
        }
    }

    redis::RedisServer server_;
    redis::Client client_ = server_.client();
    SystemClock clock_;
    observability::MetricRegistry metrics_{"test"};
    CrashPoints crash_points_;
    Delivered one_;
    Delivered two_;
    std::function<Result<std::string>()> log_id_;
};

TEST_F(AlertServiceTest, DeliversToEverySinkOnceAndInOrder) {
    auto service = start();
    report("i-1", "OPEN");
    report("i-2", "OPEN");
    report("i-1", "RESOLVED");
    std::vector<std::string> expected{"i-1 OPEN", "i-2 OPEN", "i-1 RESOLVED"};
    eventually([&] { return one_.all().size() == 3 && two_.all().size() == 3; });
    EXPECT_EQ(one_.all(), expected);
    EXPECT_EQ(two_.all(), expected);
}

TEST_F(AlertServiceTest, ADeadSinkHoldsUpNobodyAndLosesNothing) {
    one_.failures_left = -1;
    auto service = start();
    report("i-1", "OPEN");
    report("i-2", "OPEN");
    eventually([&] { return two_.all().size() == 2; });
    EXPECT_TRUE(one_.all().empty());
    {
        std::lock_guard lock(one_.mutex);
        one_.failures_left = 0;
    }
    eventually([&] { return one_.all().size() == 2; });
    EXPECT_EQ(one_.all(), (std::vector<std::string>{"i-1 OPEN", "i-2 OPEN"}));
}

TEST_F(AlertServiceTest, ARestartGoesOnWhereItStopped) {
    auto service = start();
    report("i-1", "OPEN");
    eventually([&] { return one_.all().size() == 1 && two_.all().size() == 1; });
    service.reset();
    report("i-2", "OPEN");
    service = start();
    eventually([&] { return one_.all().size() == 2; });
    EXPECT_EQ(one_.all().back(), "i-2 OPEN");
}

TEST_F(AlertServiceTest, ANewSinkIsNotToldHistory) {
    // Ten minutes old by the stream's own ids.
    std::string id = std::to_string(clock_.wall().value - 600'000) + "-0";
    ASSERT_TRUE(
        client_.command({"XADD", "anomalies", id, "id", "old", "rule", "ctr", "state", "OPEN"})
            .has_value());
    auto service = start();
    report("new", "OPEN");
    eventually([&] { return !one_.all().empty(); });
    EXPECT_EQ(one_.all().front(), "new OPEN");
}

TEST_F(AlertServiceTest, OfTwoServicesOneDeliversAndTheOtherTakesOver) {
    auto first = start("a");
    report("i-1", "OPEN");
    eventually([&] { return one_.all().size() == 1; });
    auto second = start("b");
    report("i-2", "OPEN");
    eventually([&] { return one_.all().size() == 2; });
    first.reset();
    report("i-3", "OPEN");
    eventually([&] { return one_.all().size() == 3; });
    EXPECT_EQ(one_.all(), (std::vector<std::string>{"i-1 OPEN", "i-2 OPEN", "i-3 OPEN"}));
}

TEST_F(AlertServiceTest, RedisMayGoAwayForAWhile) {
    auto service = start();
    report("i-1", "OPEN");
    eventually([&] { return one_.all().size() == 1 && two_.all().size() == 1; });
    server_.kill9();
    server_.start();
    report("i-2", "OPEN");
    // What was delivered and could not be noted any more is delivered again.
    auto told = [](auto& sink) {
        const auto all = sink.all();
        return std::set<std::string>(all.begin(), all.end());
    };
    const std::set<std::string> both{"i-1 OPEN", "i-2 OPEN"};
    eventually([&] { return told(one_) == both && told(two_) == both; });
    EXPECT_EQ(one_.all().back(), "i-2 OPEN");
}

TEST(Anomaly, IsToldAsJsonWithEverythingEscaped) {
    Anomaly anomaly;
    anomaly.id = "session_clicks:a\"b:1";
    anomaly.rule = "session_clicks";
    anomaly.entity = "session";
    anomaly.entity_id = "a\"b";
    anomaly.state = "OPEN";
    anomaly.observed = "11";
    anomaly.threshold = "10";
    anomaly.event_time = TimestampMs{1'705'327'402'000};
    anomaly.detected_at = TimestampMs{1'705'327'402'001};
    EXPECT_EQ(to_json(anomaly),
              R"({"id":"session_clicks:a\"b:1","rule":"session_clicks","entity":"session",)"
              R"("entity_id":"a\"b","state":"OPEN","observed":"11","threshold":"10",)"
              R"("event_time":"2024-01-15T14:03:22.000Z","detected_at":"2024-01-15T14:03:22.001Z",)"
              R"json("summary":"session a\"b made 11 clicks (limit 10)"})json");
}

TEST(Webhook, IsSignedOverTimeAndBody) {
    // echo -n '1700000000.{}' | openssl dgst -sha256 -hmac secret
    EXPECT_EQ(sign_webhook("secret", 1'700'000'000, "{}"),
              "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163");
}

TEST_F(AlertServiceTest, IncidentsOfAnotherLogAreNotOurs) {
    log_id_ = [] { return Result<std::string>{"log-2"}; };
    ASSERT_TRUE(client_.command({"SET", "adtally:log:ad-events", "log-1"}).has_value());
    report("i-1", "OPEN");
    auto service = start();
    const auto commands = [&] {
        const std::string stats = client_.command({"INFO", "commandstats"}).value().text;
        const auto at = stats.find("cmdstat_get:calls=");
        return at == std::string::npos ? 0 : std::stoi(stats.substr(at + 18));
    };
    eventually([&] { return commands() > 20; });
    EXPECT_EQ(client_.command({"DBSIZE"}).value().integer, 2) << "neither lease nor cursor";
    EXPECT_TRUE(one_.all().empty());
    ASSERT_TRUE(client_.command({"SET", "adtally:log:ad-events", "log-2"}).has_value());
    eventually([&] { return one_.all().size() == 1 && two_.all().size() == 1; });
    service->stop();
}

}  // namespace
}  // namespace adtally::alerts
