// Against a real redis-server. What a real one does not do on demand is in client_peer_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "platform/redis/test_support.hpp"

namespace adtally::redis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string text_of(const Result<Reply>& reply) {
    return reply ? reply.value().text : "error: " + reply.error().message;
}

std::int64_t integer_of(const Result<Reply>& reply) {
    return reply && reply.value().kind == Reply::Kind::integer ? reply.value().integer : -1;
}

TEST(Client, EachKindOfReplyArrivesAsItIs) {
    RedisServer server;
    Client client = server.client();
    EXPECT_EQ(client.generation(), 0u);

    const Result<Reply> status = client.command({"SET", "k", std::string_view("a\0b\r\n", 5)});
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(status.value().kind, Reply::Kind::status);
    EXPECT_EQ(status.value().text, "OK");
    EXPECT_EQ(client.generation(), 1u);

    const Result<Reply> string = client.command({"GET", "k"});
    ASSERT_TRUE(string);
    EXPECT_EQ(string.value().kind, Reply::Kind::string);
    EXPECT_EQ(string.value().text, std::string_view("a\0b\r\n", 5));

    const Result<Reply> nil = client.command({"GET", "absent"});
    ASSERT_TRUE(nil);
    EXPECT_TRUE(nil.value().is_nil());

    EXPECT_EQ(integer_of(client.command({"INCRBY", "n", "9223372036854775807"})),
              std::numeric_limits<std::int64_t>::max());

    const Result<Reply> error = client.command({"INCR", "k"});
    ASSERT_TRUE(error);
    EXPECT_TRUE(error.value().is_error());
    EXPECT_THAT(error.value().text, StartsWith("ERR value is not an integer"));

    const Result<Reply> empty = client.command({"SET", "empty", std::string_view{}});
    ASSERT_TRUE(empty);
    EXPECT_EQ(text_of(client.command({"GET", "empty"})), "");
    EXPECT_EQ(client.generation(), 1u);
}

TEST(Client, ArraysNest) {
    RedisServer server;
    Client client = server.client();
    const Result<Reply> reply =
        client.command({"EVAL", "return {1, {'two', false, {redis.error_reply('ERR 3')}}}", "0"});
    ASSERT_TRUE(reply);
    const Reply& outer = reply.value();
    ASSERT_EQ(outer.kind, Reply::Kind::array);
    ASSERT_EQ(outer.elements.size(), 2u);
    EXPECT_EQ(outer.elements[0].integer, 1);
    const Reply& inner = outer.elements[1];
    ASSERT_EQ(inner.elements.size(), 3u);
    EXPECT_EQ(inner.elements[0].text, "two");
    EXPECT_TRUE(inner.elements[1].is_nil());
    ASSERT_EQ(inner.elements[2].elements.size(), 1u);
    EXPECT_TRUE(inner.elements[2].elements[0].is_error());
    EXPECT_EQ(inner.elements[2].elements[0].text, "ERR 3");
}

TEST(Client, PipelinesTenThousandCommandsInOrder) {
    RedisServer server;
    Client client = server.client();
    for (int i = 0; i < 10'000; ++i) {
        const std::string amount = std::to_string(i);
        client.append(std::array<std::string_view, 3>{"INCRBY", "sum", amount});
    }
    const Result<std::vector<Reply>> replies = client.exchange();
    ASSERT_TRUE(replies) << replies.error().message;
    ASSERT_EQ(replies.value().size(), 10'000u);
    for (std::int64_t i = 0; i < 10'000; ++i)
        ASSERT_EQ(replies.value()[static_cast<std::size_t>(i)].integer, i * (i + 1) / 2);
    EXPECT_TRUE(client.exchange().value().empty());
}

TEST(Client, SendsTenMegabytesInFiftyThousandWords) {
    RedisServer server;
    Client client = server.client();
    const std::string value(200, 'v');
    std::vector<std::string> keys;
    for (int i = 0; i < 25'000; ++i)
        keys.push_back("key:" + std::to_string(i));
    std::vector<std::string_view> words{"MSET"};
    for (const std::string& key : keys) {
        words.push_back(key);
        words.push_back(value);
    }
    words.insert(words.end(), {"last", "l"});
    EXPECT_EQ(text_of(client.command(words)), "OK");
    EXPECT_EQ(integer_of(client.command({"DBSIZE"})), 25'001);

    const std::string large(10 << 20, 'x');
    EXPECT_EQ(text_of(client.command({"SET", "large", large})), "OK");
    EXPECT_EQ(text_of(client.command({"GET", "large"})), large);
}

TEST(Client, RefusesAnExchangeOverTheLimitAndGoesOn) {
    RedisServer server;
    Client client = server.client();
    const std::string part(64 << 20, 'x');
    for (int i = 0; i < 5; ++i)
        client.append(std::array<std::string_view, 3>{"SET", "k", part});
    const Result<std::vector<Reply>> replies = client.exchange();
    ASSERT_FALSE(replies);
    EXPECT_EQ(replies.error().code, ErrorCode::too_large);
    EXPECT_EQ(integer_of(client.command({"EXISTS", "k"})), 0);
}

TEST(Script, IsLoadedWhenRedisHasLostIt) {
    RedisServer server;
    Client client = server.client();
    const Script script{"return {redis.call('INCRBY', KEYS[1], ARGV[1]), #ARGV}"};
    EXPECT_EQ(script.sha1(), text_of(client.command({"SCRIPT", "LOAD", script.source()})));

    const std::array<std::string_view, 1> keys{"n"};
    const std::array<std::string_view, 2> arguments{"5", "x"};
    for (const std::int64_t expected : {5, 10, 15}) {
        ASSERT_TRUE(client.command({"SCRIPT", "FLUSH"}));
        const Result<Reply> reply = evaluate(client, script, keys, arguments);
        ASSERT_TRUE(reply) << reply.error().message;
        ASSERT_EQ(reply.value().elements.size(), 2u) << reply.value().text;
        EXPECT_EQ(reply.value().elements[0].integer, expected);
        EXPECT_EQ(reply.value().elements[1].integer, 2);
    }
}

TEST(Script, ThatDoesNotCompileIsAnErrorReply) {
    RedisServer server;
    Client client = server.client();
    const Result<Reply> reply = evaluate(client, Script{"return ("}, {}, {});
    ASSERT_TRUE(reply);
    EXPECT_THAT(reply.value().text, HasSubstr("Error compiling script"));
}

TEST(Client, TimesOutOnAFrozenServerAndRecovers) {
    RedisServer server;
    ClientOptions options = server.client_options();
    options.command_timeout = Milliseconds{50};
    Client client{options};
    ASSERT_TRUE(client.connect());
    server.freeze();
    const Result<Reply> late = client.command({"INCR", "n"});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::timed_out);
    EXPECT_THAT(late.error().message, HasSubstr("within 50 ms"));
    server.thaw();

    Client patient = server.client();
    EXPECT_EQ(text_of(patient.command({"ECHO", "a"})), "a");
    // Not the late answer of INCR, which is 1.
    EXPECT_EQ(text_of(client.command({"ECHO", "b"})), "b");
    EXPECT_EQ(client.generation(), 2u);
}

TEST(Client, IsUnavailableWhileRedisIsDeadAndConnectsAnew) {
    RedisServer server;
    Client client = server.client();
    ASSERT_TRUE(client.command({"SET", "k", "kept"}));
    server.kill9();
    for (int i = 0; i < 3; ++i) {
        const Result<Reply> dead = client.command({"GET", "k"});
        ASSERT_FALSE(dead);
        EXPECT_EQ(dead.error().code, ErrorCode::unavailable);
        EXPECT_THAT(dead.error().message,
                    AllOf(HasSubstr(to_string(server.endpoint())), HasSubstr("refused")));
    }
    EXPECT_EQ(client.generation(), 1u);
    server.start();
    EXPECT_EQ(text_of(client.command({"GET", "k"})), "kept");
    EXPECT_EQ(client.generation(), 2u);
}

TEST(Client, ReplacesAConnectionThatEndedWhileItWasIdle) {
    RedisServer server;
    Client client = server.client();
    ASSERT_TRUE(client.connect());
    server.restart();
    EXPECT_EQ(text_of(client.command({"ECHO", "a"})), "a");
    EXPECT_EQ(client.generation(), 2u);
}

TEST(Client, DiesBetweenSendAndReceiveAsUnavailable) {
    RedisServer server;
    Client client = server.client();
    client.append(std::array<std::string_view, 3>{"BLPOP", "queue", "0"});
    ASSERT_TRUE(client.send());
    server.kill9();
    const Result<std::vector<Reply>> replies = client.receive();
    ASSERT_FALSE(replies);
    EXPECT_EQ(replies.error().code, ErrorCode::unavailable);
}

TEST(Client, AuthenticatesAndSaysWhatIsWrongWhenItCannot) {
    RedisServer server{{"correct", {}}};
    EXPECT_EQ(text_of(server.client().command({"ECHO", "a"})), "a");

    ClientOptions wrong = server.client_options();
    wrong.endpoint.password = "hunter2";
    const Status refused = Client{wrong}.connect();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr("WRONGPASS"), HasSubstr("check the user, the password"),
                      Not(HasSubstr("hunter2"))));

    ClientOptions none = server.client_options();
    none.endpoint.password.clear();
    const Result<Reply> unauthenticated = Client{none}.command({"GET", "k"});
    ASSERT_FALSE(unauthenticated);
    EXPECT_EQ(unauthenticated.error().code, ErrorCode::unavailable);
    EXPECT_THAT(unauthenticated.error().message, HasSubstr("NOAUTH"));

    ClientOptions user = server.client_options();
    ASSERT_TRUE(server.client().command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all"}));
    user.endpoint.user = "app";
    user.endpoint.password = "pw";
    EXPECT_EQ(text_of(Client{user}.command({"ACL", "WHOAMI"})), "app");
}

TEST(Client, SelectsItsDatabase) {
    RedisServer server;
    ClientOptions options = server.client_options();
    options.endpoint.database = 3;
    ASSERT_TRUE(Client{options}.command({"SET", "k", "three"}));
    EXPECT_TRUE(server.client().command({"GET", "k"}).value().is_nil());
    EXPECT_EQ(text_of(Client{options}.command({"GET", "k"})), "three");

    options.endpoint.database = 99;
    const Status refused = Client{options}.connect();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("DB index is out of range"));
}

TEST(Client, SpeaksOverAUnixSocket) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "socket";
    RedisServer server{{"", {"--unixsocket", path}}};
    ClientOptions options;
    options.endpoint = parse_endpoint("unix://" + path).value();
    Client client{options};
    EXPECT_EQ(text_of(client.command({"ECHO", "a"})), "a");
}

TEST(Client, OutOfMemoryIsOverloadAndKeepsTheConnection) {
    RedisServer server{{"", {"--maxmemory", "1"}}};
    Client client = server.client();
    client.append(std::array<std::string_view, 2>{"PING", "a"});
    client.append(std::array<std::string_view, 3>{"SET", "k", "v"});
    client.append(std::array<std::string_view, 2>{"PING", "b"});
    const Result<std::vector<Reply>> replies = client.exchange();
    ASSERT_FALSE(replies);
    EXPECT_EQ(replies.error().code, ErrorCode::overloaded);
    EXPECT_EQ(text_of(client.command({"PING", "c"})), "c");
    EXPECT_EQ(client.generation(), 1u);
}

TEST(Client, ABusyRedisIsUnavailable) {
    RedisServer server{{"", {"--busy-reply-threshold", "10"}}};
    Client stuck = server.client();
    stuck.append(std::array<std::string_view, 3>{"EVAL", "while true do end", "0"});
    ASSERT_TRUE(stuck.send());
    Client other = server.client();
    const Deadline deadline = Deadline::after(Milliseconds{30'000});
    Result<Reply> busy = other.command({"GET", "k"});
    while (busy && !deadline.passed())  // until the script has begun
        busy = other.command({"GET", "k"});
    ASSERT_FALSE(busy);
    EXPECT_EQ(busy.error().code, ErrorCode::unavailable);
    EXPECT_THAT(busy.error().message, HasSubstr("BUSY"));
    EXPECT_EQ(text_of(other.command({"SCRIPT", "KILL"})), "OK");
    const Result<std::vector<Reply>> killed = stuck.receive();
    ASSERT_TRUE(killed) << killed.error().message;
    EXPECT_TRUE(killed.value().front().is_error());
}

TEST(Client, AReadOnlyReplicaIsUnavailable) {
    RedisServer server{{"", {"--replicaof", "127.0.0.1 1"}}};
    const Result<Reply> refused = server.client().command({"SET", "k", "v"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    EXPECT_THAT(refused.error().message, HasSubstr("READONLY"));
}

TEST(RedisServerForTests, KeepsPortAndDataOverKillAndStart) {
    RedisServer server;
    const std::uint16_t port = server.port();
    ASSERT_TRUE(server.client().command({"SET", "k", "v"}));
    EXPECT_GT(std::filesystem::file_size(server.append_only_file()), 0u);
    server.kill9();
    EXPECT_FALSE(server.running());
    EXPECT_EQ(server.pid(), 0);
    server.start();
    EXPECT_EQ(server.port(), port);
    EXPECT_EQ(text_of(server.client().command({"GET", "k"})), "v");
}

}  // namespace
}  // namespace adtally::redis
