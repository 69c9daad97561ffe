// What runs of collectors report, as it stands in Redis afterwards.
#include "pipeline/collector/intake_report.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "platform/redis/test_support.hpp"

namespace adtally::collector {
namespace {

class IntakeReportTest : public testing::Test {
protected:
    static void SetUpTestSuite() { server = std::make_unique<redis::RedisServer>(); }
    static void TearDownTestSuite() { server.reset(); }
    void SetUp() override {
        server->start();
        ASSERT_TRUE(client.command({"FLUSHALL"}).has_value());
    }

    // Never by itself within a test: only when told, and once more at the stop.
    std::unique_ptr<IntakeReporter> run(const std::string& spool = "spool-a") {
        sums = {};
        return std::make_unique<IntakeReporter>(
            IntakeReportOptions{server->client_options(), "intake", spool, "host:8085",
                                Milliseconds{600'000}},
            clock, [this] { return sums; });
    }
    std::string reported(const std::string& spool = "spool-a") {
        return client.command({"HGET", "intake", spool}).value().text;
    }

    static std::unique_ptr<redis::RedisServer> server;
    redis::Client client = server->client();
    ManualClock clock{TimestampMs{99}};
    IntakeSums sums;
};

std::unique_ptr<redis::RedisServer> IntakeReportTest::server;

TEST_F(IntakeReportTest, ARunOverwritesItsField) {
    const auto reporter = run();
    sums = {10, 1, 4};
    ASSERT_TRUE(reporter->report());
    EXPECT_EQ(reported(), "10 1 4 99 host:8085");
    sums = {15, 1, 0};
    ASSERT_TRUE(reporter->report());
    EXPECT_EQ(reported(), "15 1 0 99 host:8085");
}

// Killed with events in its spool, that were reported as waiting and passed on before it ended.
TEST_F(IntakeReportTest, TheNextRunOnASpoolGoesOnWithItsField) {
    auto reporter = run();
    sums = {100, 2, 60};
    ASSERT_TRUE(reporter->report());
    reporter = run();
    ASSERT_TRUE(reporter->report());
    EXPECT_EQ(reported(), "100 2 0 99 host:8085") << "nothing waits any more";
    sums = {5, 1, 3};
    ASSERT_TRUE(reporter->report());
    EXPECT_EQ(reported(), "105 3 3 99 host:8085");
    reporter = run("spool-b");
    sums = {7, 0, 0};
    ASSERT_TRUE(reporter->report());
    EXPECT_EQ(reported(), "105 3 3 99 host:8085") << "another collector's";
    EXPECT_EQ(reported("spool-b"), "7 0 0 99 host:8085");
    EXPECT_EQ(client.command({"HLEN", "intake"}).value().integer, 2) << "one field a spool";
}

TEST_F(IntakeReportTest, TheLastReportIsThatOfTheStop) {
    const auto reporter = run();
    reporter->start();
    sums = {8, 0, 5};
    reporter->stop();
    EXPECT_EQ(reported(), "8 0 5 99 host:8085");
}

// Without what earlier runs said, it would say less than they did: it says nothing until then.
TEST_F(IntakeReportTest, WhatEarlierRunsSaidIsReadBeforeAnythingIsSaid) {
    ASSERT_TRUE(client.command({"HSET", "intake", "spool-a", "50 0 0 1 host:8085"}).has_value());
    server->stop();
    const auto reporter = run();
    sums = {3, 0, 0};
    EXPECT_FALSE(reporter->report());
    server->start();
    ASSERT_TRUE(reporter->report());
    EXPECT_EQ(reported(), "53 0 0 99 host:8085");
}

TEST_F(IntakeReportTest, ARedisThatRefusesIsAnError) {
    ASSERT_TRUE(client.command({"SET", "intake", "x"}).has_value());
    const auto reporter = run();
    EXPECT_EQ(reporter->report().error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace adtally::collector
