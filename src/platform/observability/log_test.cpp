#include "platform/observability/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <limits>
#include <sstream>
#include <thread>

#include "platform/observability/log_line.hpp"

namespace adtally::observability {
namespace {

constexpr std::int64_t k20240115 = 1'705'327'402'123'456;  // 2024-01-15T14:03:22.123456Z

LogLine example(std::span<const Field> fields = {}) {
    return {.wall_us = k20240115,
            .level = Level::info,
            .logger = "data-collector.spool",
            .pid = 42,
            .thread = "io-0",
            .message = "spool drained",
            .fields = fields,
            .trace_id = {}};
}

std::vector<std::string> lines_of(const std::string& output) {
    std::istringstream in(output);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);)
        out.push_back(line);
    return out;
}

// Leaves level and format as the process starts with them.
class Log : public testing::Test {
protected:
    void SetUp() override { configure_logging(LogFormat::json, Level::info); }
    void TearDown() override { configure_logging(LogFormat::json, Level::info); }
};

TEST(LogLine, IsEcsNested) {
    const std::string path = "/var/lib/adtally";
    const Field fields[] = {{"events", 12}, {"path", path}, {"ratio", 0.5}, {"retried", false}};
    LogLine line = example(fields);
    line.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    EXPECT_EQ(json_line(line),
              R"({"@timestamp":"2024-01-15T14:03:22.123456Z",)"
              R"("log":{"level":"INFO","logger":"data-collector.spool"},)"
              R"("process":{"pid":42,"thread":{"name":"io-0"}},)"
              R"("service":{"name":"data-collector"},"message":"spool drained",)"
              R"("events":12,"path":"/var/lib/adtally","ratio":0.5,"retried":false,)"
              R"("traceId":"4bf92f3577b34da6a3ce929d0e0e4736","ecs":{"version":"8.11"}})");
}

TEST(LogLine, WithoutTraceThereIsNoTraceId) {
    EXPECT_THAT(json_line(example()), testing::Not(testing::HasSubstr("traceId")));
}

TEST(LogLine, AnErrorIsEcsErrorMessageAndTakenNamesAreMovedAside) {
    const Field fields[] = {{"error", "disk full"}, {"message", "second"}, {"service", 7}};
    EXPECT_THAT(json_line(example(fields)),
                testing::HasSubstr(R"("error":{"message":"disk full"},"field_message":"second",)"
                                   R"("field_service":7,)"));
}

TEST(LogLine, AnyBytesAndNumbersAreReadableJson) {
    const Field fields[] = {{"user_agent", "\xFF\"\n\xE2\x82"},
                            {"nan", std::numeric_limits<double>::quiet_NaN()},
                            {"infinite", std::numeric_limits<double>::infinity()},
                            {"least", std::numeric_limits<std::int64_t>::min()},
                            {"tiny", 5e-324}};
    LogLine line = example(fields);
    line.message = "two\nlines";
    const std::string text = json_line(line);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    const boost::json::object parsed = boost::json::parse(text).as_object();
    EXPECT_EQ(parsed.at("message").as_string(), "two\nlines");
    EXPECT_EQ(parsed.at("user_agent").as_string(), "\xEF\xBF\xBD\"\n\xEF\xBF\xBD");
    EXPECT_TRUE(parsed.at("nan").is_null());
    EXPECT_TRUE(parsed.at("infinite").is_null());
    EXPECT_EQ(parsed.at("least").as_int64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(parsed.at("tiny").as_double(), 5e-324);
}

TEST(LogLine, AVeryLongTextIsCut) {
    const std::string body(1'000'000, 'x');
    const Field fields[] = {{"body", body}};
    EXPECT_LT(json_line(example(fields)).size(), 10'000u);
    EXPECT_LT(text_line(example(fields)).size(), 10'000u);
}

TEST(LogLine, TextIsForPeopleAndCannotBeForged) {
    setenv("TZ", "UTC", 1);
    tzset();
    const Field fields[] = {
        {"events", 12}, {"path", "/a b"}, {"forged", "x\n12:00 ERROR"}, {"host", "10.0.0.1:8085"}};
    LogLine line = example(fields);
    line.message = "drained\nall";
    line.trace_id = "4bf9";
    EXPECT_EQ(text_line(line),
              "14:03:22.123 INFO  data-collector.spool  drained\\nall  events=12 path=\"/a b\" "
              "forged=\"x\\n12:00 ERROR\" host=10.0.0.1:8085 traceId=4bf9");
}

TEST_F(Log, WritesALineWithProcessAndThread) {
    testing::internal::CaptureStdout();
    std::thread thread([] {
        pthread_setname_np(pthread_self(), "worker-7");
        Logger("data-processor").warn("lag grows", {{"lag", 5}});
    });
    thread.join();
    const auto lines = lines_of(testing::internal::GetCapturedStdout());
    ASSERT_EQ(lines.size(), 1u);
    const boost::json::object parsed = boost::json::parse(lines[0]).as_object();
    EXPECT_EQ(parsed.at("log").at("level").as_string(), "WARN");
    EXPECT_EQ(parsed.at("process").at("pid").as_int64(), getpid());
    EXPECT_EQ(parsed.at("process").at("thread").at("name").as_string(), "worker-7");
    EXPECT_EQ(parsed.at("lag").as_int64(), 5);
}

TEST_F(Log, TheLevelCanChangeAndOnlyWrittenLinesCount) {
    const std::uint64_t debug_before = lines_logged(Level::debug);
    const std::uint64_t error_before = lines_logged(Level::error);
    const Logger logger("x");
    testing::internal::CaptureStdout();
    logger.debug("hidden");
    set_level(Level::debug);
    EXPECT_EQ(level(), Level::debug);
    logger.debug("shown");
    set_level(Level::off);
    logger.error("hidden");
    logger.log(Level::off, "never");
    const auto lines = lines_of(testing::internal::GetCapturedStdout());
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_THAT(lines[0], testing::HasSubstr("shown"));
    EXPECT_EQ(lines_logged(Level::debug), debug_before + 1);
    EXPECT_EQ(lines_logged(Level::error), error_before);
}

TEST_F(Log, LinesOfManyThreadsDoNotMix) {
    constexpr int kThreads = 4;
    constexpr int kLines = 500;
    testing::internal::CaptureStdout();
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([t] {
            const Logger logger("worker");
            for (int i = 0; i < kLines; ++i)
                logger.info("happened", {{"thread", t}, {"line", i}});
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    const auto lines = lines_of(testing::internal::GetCapturedStdout());
    ASSERT_EQ(lines.size(), static_cast<std::size_t>(kThreads * kLines));
    std::vector<std::int64_t> next(kThreads, 0);
    for (const std::string& line : lines) {
        const boost::json::object parsed = boost::json::parse(line).as_object();
        const auto thread = static_cast<std::size_t>(parsed.at("thread").as_int64());
        EXPECT_EQ(parsed.at("line").as_int64(), next.at(thread)++);
    }
}

TEST_F(Log, TextFormatIsChosenAtStart) {
    configure_logging(LogFormat::text, Level::info);
    testing::internal::CaptureStdout();
    Logger("data-collector").info("ready", {{"port", 8085}});
    EXPECT_THAT(testing::internal::GetCapturedStdout(),
                testing::HasSubstr(" INFO  data-collector  ready  port=8085\n"));
}

TEST(Level, NamesGoBothWays) {
    for (const Level level :
         {Level::trace, Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
        Level parsed = Level::trace;
        EXPECT_TRUE(parse_level(to_string(level), parsed));
        EXPECT_EQ(parsed, level);
    }
    Level parsed = Level::info;
    EXPECT_TRUE(parse_level("dEbUg", parsed));
    EXPECT_EQ(parsed, Level::debug);
    EXPECT_FALSE(parse_level("loud", parsed));
    EXPECT_FALSE(parse_level("", parsed));
    EXPECT_EQ(parsed, Level::debug) << "untouched";
}

}  // namespace
}  // namespace adtally::observability
