// Against a peer that says what the test wants, when it wants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "platform/redis/testing/scripted_peer.hpp"

namespace adtally::redis {
namespace {

using testing::HasSubstr;

constexpr Milliseconds patient{10'000};
constexpr std::array<std::string_view, 2> any_command{"GET", "k"};

Result<std::vector<Reply>> answered(ScriptedPeer& peer, Client& client, std::string_view bytes) {
    client.append(any_command);
    if (Status sent = client.send(); !sent)
        return sent.error();
    if (client.generation() == 1)
        peer.accept();
    peer.say(bytes);
    return client.receive();
}

TEST(ClientAndPeer, SilenceIsTimedOut) {
    ScriptedPeer peer;
    Client client{peer.client_options(Milliseconds{30})};
    const Result<Reply> reply = client.command(any_command);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::timed_out);
    EXPECT_EQ(client.generation(), 1u);
}

TEST(ClientAndPeer, SilenceInTheGreetingIsUnavailableForNothingWasSent) {
    ScriptedPeer peer;
    ClientOptions options = peer.client_options(patient);
    options.connect_timeout = Milliseconds{30};
    options.endpoint.password = "p";
    Client client{options};
    const Result<Reply> reply = client.command(any_command);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
    EXPECT_EQ(client.generation(), 0u);
}

TEST(ClientAndPeer, ALateReplyIsNotTakenForTheNextCommands) {
    ScriptedPeer peer;
    Client client{peer.client_options(Milliseconds{30})};
    client.append(any_command);
    ASSERT_TRUE(client.send());
    peer.accept();
    peer.say("$5\r\nfi");
    const Result<std::vector<Reply>> late = client.receive();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::timed_out);

    client.append(any_command);
    ASSERT_TRUE(client.send());
    EXPECT_EQ(client.generation(), 2u);
    peer.accept();
    peer.say("$6\r\nsecond\r\n");
    const Result<std::vector<Reply>> reply = client.receive();
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply.value().front().text, "second");
}

TEST(ClientAndPeer, ARefusalByRedisItselfIsAnError) {
    const std::vector<std::pair<std::string, ErrorCode>> table{
        {"LOADING Redis is loading the dataset in memory", ErrorCode::unavailable},
        {"MASTERDOWN Link with MASTER is down", ErrorCode::unavailable},
        {"READONLY You can't write against a read only replica.", ErrorCode::unavailable},
        {"BUSY Redis is busy running a script.", ErrorCode::unavailable},
        {"TRYAGAIN Multiple keys request during rehashing of slot", ErrorCode::unavailable},
        {"CLUSTERDOWN The cluster is down", ErrorCode::unavailable},
        {"MISCONF Errors writing to the AOF file: No space left", ErrorCode::unavailable},
        {"NOREPLICAS Not enough good replicas to write.", ErrorCode::unavailable},
        {"DENIED Redis is running in protected mode", ErrorCode::unavailable},
        {"ERR max number of clients reached", ErrorCode::unavailable},
        {"OOM command not allowed when used memory > 'maxmemory'.", ErrorCode::overloaded},
    };
    for (const auto& [text, code] : table) {
        ScriptedPeer peer;
        Client client{peer.client_options(patient)};
        const auto reply = answered(peer, client, "-" + text + "\r\n");
        ASSERT_FALSE(reply) << text;
        EXPECT_EQ(reply.error().code, code) << text;
        EXPECT_THAT(reply.error().message, HasSubstr(text));
    }
}

TEST(ClientAndPeer, AnyOtherErrorIsAReply) {
    for (const std::string_view text : {"WRONGTYPE no", "NOSCRIPT no", "BUSYGROUP exists", "ERR x",
                                        "OOMPH", "EXECABORT no", "NOPERM no"}) {
        ScriptedPeer peer;
        Client client{peer.client_options(patient)};
        const auto reply = answered(peer, client, "-" + std::string{text} + "\r\n");
        ASSERT_TRUE(reply) << text;
        EXPECT_TRUE(reply.value().front().is_error());
        EXPECT_EQ(reply.value().front().text, text);
    }
}

TEST(ClientAndPeer, AReasonThatCameBeforeTheHangUpIsTold) {
    ScriptedPeer peer;
    Client client{peer.client_options(patient)};
    client.append(any_command);
    client.append(any_command);
    ASSERT_TRUE(client.send());
    peer.accept();
    peer.say("-ERR max number of clients reached\r\n");
    peer.hang_up();
    const Result<std::vector<Reply>> reply = client.receive();
    ASSERT_FALSE(reply);
    EXPECT_THAT(reply.error().message, HasSubstr("max number of clients"));
}

TEST(ClientAndPeer, WhatIsNotRedisIsUnavailableWithTheReason) {
    ScriptedPeer peer;
    Client client{peer.client_options(patient)};
    const auto reply = answered(peer, client, "HTTP/1.1 400 Bad Request\r\n\r\n");
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
    EXPECT_THAT(reply.error().message, HasSubstr("does not speak Redis' protocol"));
}

TEST(ClientAndPeer, EightNestedArraysAreReadAndNineAreRefused) {
    const auto nested = [](int depth) {
        std::string bytes;
        for (int i = 0; i < depth; ++i)
            bytes += "*1\r\n";
        return bytes + ":7\r\n";
    };
    ScriptedPeer peer;
    Client client{peer.client_options(patient)};
    const auto reply = answered(peer, client, nested(8));
    ASSERT_TRUE(reply) << reply.error().message;
    const Reply* inner = &reply.value().front();
    for (int i = 0; i < 8; ++i) {
        ASSERT_EQ(inner->elements.size(), 1u);
        inner = &inner->elements.front();
    }
    EXPECT_EQ(inner->integer, 7);

    ScriptedPeer deeper;
    Client other{deeper.client_options(patient)};
    const auto refused = answered(deeper, other, nested(9));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("protocol"));
}

TEST(ClientAndPeer, AHangUpInMidReplyIsUnavailable) {
    ScriptedPeer peer;
    Client client{peer.client_options(patient)};
    client.append(any_command);
    ASSERT_TRUE(client.send());
    peer.accept();
    peer.say("$100\r\nhalf");
    peer.hang_up();
    const Result<std::vector<Reply>> reply = client.receive();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace adtally::redis
