#include "platform/http/failure_log.hpp"

#include <gtest/gtest.h>
#include <algorithm>

namespace adtally::http {
namespace {

class FailureLogTest : public testing::Test {
protected:
    FailureLogTest() {
        request_.method = Method::post;
        request_.path = "/api/events";
        request_.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    }
    // The lines that `answers` wrote.
    template <class Answers>
    std::string lines(Answers answers) {
        testing::internal::CaptureStdout();
        answers();
        return testing::internal::GetCapturedStdout();
    }

    observability::Logger logger_{"test"};
    FailureLog log_{logger_};
    Request request_;
};

TEST_F(FailureLogTest, AFailureIsLoggedWithItsTraceId) {
    std::string text = lines([this] { log_.answered(request_, 503, SteadyTime{}); });
    EXPECT_NE(text.find(R"("traceId":"4bf92f3577b34da6a3ce929d0e0e4736")"), std::string::npos)
        << text;
    EXPECT_NE(text.find(R"("status":503)"), std::string::npos);
}

TEST_F(FailureLogTest, WhatWentWellIsNotLogged) {
    EXPECT_EQ(lines([this] {
                  log_.answered(request_, 202, SteadyTime{});
                  log_.answered(request_, 404, SteadyTime{});
              }),
              "");
}

TEST_F(FailureLogTest, AFloodIsCountedInsteadOfWritten) {
    std::string text = lines([this] {
        for (int i = 0; i < 1'000; ++i)
            log_.answered(request_, 503, SteadyTime{} + std::chrono::seconds(5));
        log_.answered(request_, 503, SteadyTime{} + std::chrono::seconds(6));
    });
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
    EXPECT_NE(text.find(R"("suppressed":990)"), std::string::npos);
}

}  // namespace
}  // namespace adtally::http
