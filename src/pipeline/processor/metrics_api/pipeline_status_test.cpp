// The books of a pipeline, read from a real Redis beside a log in memory.
#include "pipeline/processor/metrics_api/pipeline_status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/processor/fakes/memory_log.hpp"
#include "pipeline/processor/metrics_api/metrics_reader.hpp"
#include "pipeline/processor/metrics_api/reconciliation.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::metrics_api {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t minute_ms = 60'000;

class PipelineStatusTest : public testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<redis::RedisServer>(); }
    static void TearDownTestSuite() { server.reset(); }
    void SetUp() override {
        tell({"FLUSHALL"});
        tell({"SET", "adtally:log:ad-events", "log-1"});
        for (int i = 0; i < 5; ++i)
            log.put(0, TimestampMs{0}, "record");
        counted(3);
    }

    void tell(std::initializer_list<std::string_view> words) {
        ASSERT_TRUE(client.command(words).has_value());
    }
    void counted(std::int64_t events) {
        const std::string number = std::to_string(events);
        tell({"SET", "adtally:offset:ad-events:0", number});
        tell({"HSET", "adtally:books:ad-events:0", "base", "0", "counted", number});
    }
    PipelineStatus status(Intake said) {
        return read_status(client, log, "ad-events", [&](redis::Client&) { return said; }).value();
    }
    Reconciler::Written reconcile(std::int64_t minute) {
        return reconciler.write(TimestampMs{minute * minute_ms + 1}).value();
    }

    static std::unique_ptr<redis::RedisServer> server;
    redis::Client client = server->client();
    processor::fakes::MemoryLog log{2};
    SystemClock clock;
    Intake intake{.accepted = 5};
    Reconciler reconciler{{server->client_options(), "ad-events", Milliseconds{minute_ms}},
                          log,
                          [this](redis::Client&) { return Result<Intake>{intake}; },
                          clock};
};

std::unique_ptr<redis::RedisServer> PipelineStatusTest::server;

TEST_F(PipelineStatusTest, AddsUp) {
    EXPECT_EQ(status_json(status({5, 1, 0}), "[]"),
              R"({"accepted":5,"rejected":1,"spooled":0,"appended":5,"unclaimed":0,)"
              R"("processed":3,"counted":3,"duplicates":0,"dead_lettered":0,"expired":0,)"
              R"("in_flight":2,"difference":0,"balanced":true,"minutes":[],)"
              R"("partitions":[{"partition":0,"begin":0,"end":5,"processed":3,"lag":2,)"
              R"("balanced":true},{"partition":1,"begin":0,"end":0,"processed":0,"lag":0,)"
              R"("balanced":true}]})");
}

TEST_F(PipelineStatusTest, SaysByHowMuchItDoesNot) {
    EXPECT_EQ(status({7, 0, 0}).difference(), 2) << "accepted and not there";
    EXPECT_EQ(status({7, 0, 2}).difference(), 0) << "they wait in a spool";
    EXPECT_EQ(status({4, 0, 0}).difference(), 0) << "an append without an answer";
    tell({"HINCRBY", "adtally:books:ad-events:0", "counted", "1"});
    EXPECT_EQ(status({5, 0, 0}).difference(), 1) << "counted twice";
    counted(9);
    EXPECT_EQ(status({5, 0, 0}).difference(), 4) << "beyond the log";
}

TEST_F(PipelineStatusTest, SumsWhatCollectorsReport) {
    EXPECT_EQ(read_reported_intake(client, "reports").value().accepted, 0);
    tell({"HSET", "reports", "spool-a", "15 1 2 99 a:8085", "spool-b", "2 2 0 99 b:8085"});
    const Intake sum = read_reported_intake(client, "reports").value();
    EXPECT_EQ(sum.accepted, 17);
    EXPECT_EQ(sum.rejected, 3);
    EXPECT_EQ(sum.spooled, 2);
    tell({"SET", "text", "x"});
    EXPECT_EQ(read_reported_intake(client, "text").error().code, ErrorCode::unavailable);
}

// Which said how many had ever been spooled, and drained, where now stands what waits.
TEST_F(PipelineStatusTest, WhatAnOlderVersionReportedHidesNoLoss) {
    tell({"HSET", "reports", "a:8085/17", "7 1 4 2 99", "spool-a", "0 0 0 99 a:8085"});
    const Intake sum = read_reported_intake(client, "reports").value();
    EXPECT_EQ(sum.accepted, 7);
    EXPECT_EQ(sum.rejected, 1);
    EXPECT_EQ(sum.spooled, 0);
    EXPECT_EQ(status(sum).difference(), 2) << "7 accepted, 5 in the log";
}

TEST_F(PipelineStatusTest, TellsTheChangeFromRowToRow) {
    EXPECT_EQ(reconcile(100), Reconciler::Written::row);
    EXPECT_EQ(reconcile(100), Reconciler::Written::nothing) << "another processor was first";
    log.put(1, TimestampMs{0}, "record");
    intake.accepted = 6;
    counted(5);
    EXPECT_EQ(reconcile(102), Reconciler::Written::row);
    const Milliseconds minute{minute_ms};
    const TimestampMs now{102 * minute_ms + 5};
    EXPECT_EQ(reconciliation_json(client, "ad-events", minute, now).value(),
              R"([{"from":"1970-01-01T01:40:00.000Z","to":"1970-01-01T01:42:00.000Z",)"
              R"("accepted":1,"rejected":0,"appended":1,"counted":2,"duplicates":0,)"
              R"("dead_lettered":0,"expired":0,"spooled":0,"in_flight":1,"difference":0}])");
}

TEST_F(PipelineStatusTest, ADifferenceIsOneIncidentUntilItIsGone) {
    EXPECT_EQ(reconcile(1), Reconciler::Written::row);
    intake.accepted = 6;
    EXPECT_EQ(reconcile(2), Reconciler::Written::opened);
    EXPECT_EQ(reconcile(3), Reconciler::Written::row);
    const std::string open = anomalies_json(client, "OPEN", 10).value();
    EXPECT_THAT(open, HasSubstr(R"("rule":"reconciliation","entity":"pipeline")"));
    EXPECT_THAT(open, HasSubstr("the books of ad-events differ by 1 events"));
    log.put(1, TimestampMs{0}, "record");
    EXPECT_EQ(reconcile(4), Reconciler::Written::resolved);
    EXPECT_EQ(reconcile(5), Reconciler::Written::row);
    EXPECT_THAT(anomalies_json(client, "OPEN", 10).value(), Not(HasSubstr("reconciliation")));
}

TEST_F(PipelineStatusTest, NothingIsWrittenWhereAnotherLogIsCounted) {
    intake.accepted = 6;  // it would be an incident
    tell({"SET", "adtally:log:ad-events", "log-2"});
    const auto before = client.command({"DBSIZE"}).value().integer;
    EXPECT_EQ(reconciler.write(TimestampMs{minute_ms}).error().code, ErrorCode::conflict);
    EXPECT_EQ(client.command({"DBSIZE"}).value().integer, before);
    tell({"DEL", "adtally:log:ad-events"});
    EXPECT_EQ(reconciler.write(TimestampMs{minute_ms}).error().code, ErrorCode::conflict);
    tell({"SET", "adtally:log:ad-events", "log-1"});
    EXPECT_EQ(reconcile(1), Reconciler::Written::opened);
}

}  // namespace
}  // namespace adtally::metrics_api
