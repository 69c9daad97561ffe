#include "platform/eventlog/kafka/cause.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

namespace adtally::eventlog::kafka {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string words_of(const Cause& cause) {
    const auto known = cause.known();
    return known ? known->message : std::string{};
}

TEST(Cause, NothingIsKnownBeforeAnythingWasSaid) {
    EXPECT_FALSE(Cause{}.known());
}

TEST(Cause, TheRealReasonStaysWhenAVagueOneFollows) {
    Cause cause;
    cause.note(RD_KAFKA_RESP_ERR__AUTHENTICATION,
               "sasl_plaintext://b:1/bootstrap: SASL authentication error: Invalid password "
               "(after 301ms in state AUTH_REQ)");
    cause.note(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    cause.note(RD_KAFKA_RESP_ERR__TRANSPORT, "b:1/bootstrap: Disconnected (after 2ms in state UP)");
    EXPECT_THAT(words_of(cause), AllOf(HasSubstr("Invalid password"),
                                       HasSubstr("check sasl.username"), Not(HasSubstr("after"))));
}

TEST(Cause, WhatExplainsMoreTakesThePlaceOfWhatExplainsLess) {
    Cause cause;
    cause.note(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    EXPECT_THAT(words_of(cause), HasSubstr("1/1 brokers"));
    cause.note(RD_KAFKA_RESP_ERR__TRANSPORT,
               "b:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state "
               "CONNECT)");
    EXPECT_THAT(words_of(cause), AllOf(HasSubstr("Connection refused"), HasSubstr("--kafka?")));
    cause.note(RD_KAFKA_RESP_ERR__RESOLVE, "b:1/bootstrap: Failed to resolve 'b:1'");
    EXPECT_THAT(words_of(cause), HasSubstr("check the host name"));
}

TEST(Cause, ItsWordsStayTheSameWhileTheReasonDoes) {
    Cause cause;
    cause.note(RD_KAFKA_RESP_ERR__TRANSPORT,
               "b:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state "
               "CONNECT)");
    const std::string first = words_of(cause);
    cause.note(RD_KAFKA_RESP_ERR__TRANSPORT,
               "b:2/2: Connect to ipv4#127.0.0.1:2 failed: Connection refused (after 1ms in state "
               "CONNECT, 9 identical error(s) suppressed)");
    EXPECT_EQ(words_of(cause), first);
}

TEST(Cause, IsForgottenOnceTheClusterHasServedUs) {
    Cause cause;
    cause.note(RD_KAFKA_RESP_ERR__AUTHENTICATION, "wrong");
    cause.clear();
    EXPECT_FALSE(cause.known());
    cause.note(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    EXPECT_THAT(words_of(cause), HasSubstr("1/1 brokers"));
}

}  // namespace
}  // namespace adtally::eventlog::kafka
