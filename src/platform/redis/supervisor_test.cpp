#include "platform/redis/supervisor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <vector>

#include "platform/redis/child_process.hpp"
#include "platform/redis/test_support.hpp"
#include "platform/redis/testing/scripted_peer.hpp"

namespace adtally::redis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Remembers what the supervisor told, and waits for it.
class Events {
public:
    void add(std::string_view name, std::string_view detail) {
        const std::lock_guard lock{mutex_};
        seen_.emplace_back(name, detail);
        changed_.notify_all();
    }
    // The detail of the `nth` such event.
    std::string wait_for(std::string_view name, int nth = 1) {
        std::unique_lock lock{mutex_};
        std::string detail = "never happened";
        changed_.wait_for(lock, std::chrono::seconds{30}, [&] {
            int count = 0;
            for (const auto& [seen, text] : seen_) {
                if (seen != name || ++count != nth)
                    continue;
                detail = text;
                return true;
            }
            return false;
        });
        return detail;
    }
    int count(std::string_view name) {
        const std::lock_guard lock{mutex_};
        int count = 0;
        for (const auto& event : seen_)
            count += event.first == name ? 1 : 0;
        return count;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::string, std::string>> seen_;
};

class SupervisorTest : public testing::Test {
protected:
    SupervisorOptions options() {
        SupervisorOptions options;
        options.directory = directory_.path() / "redis";
        options.port = port_;
        options.restart_backoff_min = Milliseconds{10};
        options.restart_backoff_max = Milliseconds{50};
        options.ping_interval = Milliseconds{20};
        options.on_event = [this](std::string_view name, std::string_view detail) {
            events_.add(name, detail);
        };
        return options;
    }
    // What the constructor throws.
    static std::string failure(const SupervisorOptions& options) {
        try {
            const Supervisor supervisor{options};
        } catch (const std::runtime_error& error) {
            EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
            return error.what();
        }
        return "started";
    }
    static Client client(const Supervisor& supervisor) {
        ClientOptions options;
        options.endpoint = supervisor.endpoint();
        return Client{options};
    }
    static std::string get(Client& client, std::string_view key) {
        const Result<Reply> reply = client.command({"GET", key});
        return reply ? reply.value().text : reply.error().message;
    }
    // Of a server with 8,192 keys that takes that many microseconds for each when it starts.
    SupervisorOptions slow_to_load(const std::string& microseconds) {
        {
            const Supervisor supervisor{options()};
            Client redis = client(supervisor);
            fill(redis, 8192);
        }
        SupervisorOptions slow = options();
        slow.executable = script("exec redis-server \"$@\" --key-load-delay " + microseconds);
        return slow;
    }
    void fill(Client& client, int keys) {
        for (int i = 0; i < keys; ++i) {
            const std::string key = "key:" + std::to_string(i);
            client.append(std::array<std::string_view, 3>{"SET", key, "value"});
        }
        ASSERT_TRUE(client.exchange());
    }
    std::filesystem::path script(std::string_view text) {
        const std::filesystem::path path = directory_.path() / "program";
        std::ofstream{path} << "#!/bin/sh\n" << text << "\n";
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        return path;
    }
    std::filesystem::path append_only_file() const {
        return directory_.path() / "redis" / "appendonlydir" / "appendonly.aof.1.incr.aof";
    }

    TemporaryDirectory directory_;
    std::uint16_t port_ = unused_port();
    Events events_;
};

bool exists(std::int64_t pid) {
    return ::kill(static_cast<pid_t>(pid), 0) == 0;
}

TEST_F(SupervisorTest, StartsConfiguresAndStops) {
    std::int64_t pid = 0;
    {
        Supervisor supervisor{options()};
        pid = supervisor.health().pid;
        EXPECT_TRUE(supervisor.health().up);
        EXPECT_EQ(supervisor.health().reason, "");
        EXPECT_TRUE(exists(pid));
        EXPECT_EQ(::getpgid(static_cast<pid_t>(pid)), pid);

        Client redis = client(supervisor);
        const std::vector<std::pair<std::string_view, std::string>> expected{
            {"appendonly", "yes"},
            {"appendfsync", "everysec"},
            {"save", ""},
            {"maxmemory-policy", "noeviction"},
            {"bind", "127.0.0.1"},
            {"aof-load-truncated", "yes"},
            {"tcp-keepalive", "60"},
            {"protected-mode", "yes"}};
        for (const auto& [key, value] : expected) {
            const Result<Reply> reply = redis.command({"CONFIG", "GET", key});
            ASSERT_TRUE(reply);
            ASSERT_EQ(reply.value().elements.size(), 2u) << key;
            EXPECT_EQ(reply.value().elements[1].text, value) << key;
        }
        supervisor.stop();
        EXPECT_FALSE(exists(pid));
        EXPECT_FALSE(supervisor.health().up);
        EXPECT_EQ(supervisor.health().reason, "stopped");
        supervisor.stop();
    }
    EXPECT_THAT(events_.wait_for("redis_stopped"), HasSubstr("exited with status 0"));
    EXPECT_EQ(events_.count("redis_killed"), 0);
}

TEST_F(SupervisorTest, AKilledChildIsStartedAgainWithItsData) {
    Supervisor supervisor{options()};
    Client redis = client(supervisor);
    for (int round = 1; round <= 3; ++round) {
        const std::string value = std::to_string(round);
        ASSERT_TRUE(redis.command({"SET", "k", value}));
        const std::int64_t pid = supervisor.health().pid;
        ::kill(static_cast<pid_t>(pid), SIGKILL);
        EXPECT_THAT(events_.wait_for("redis_ended", round), HasSubstr("was killed by signal 9"));
        EXPECT_THAT(events_.wait_for("redis_ready", round + 1), HasSubstr("pid"));
        EXPECT_EQ(get(redis, "k"), value);
        EXPECT_EQ(supervisor.health().restarts, static_cast<std::uint64_t>(round));
        EXPECT_NE(supervisor.health().pid, pid);
        EXPECT_TRUE(supervisor.health().up);
    }
    EXPECT_EQ(redis.generation(), 4u);
}

TEST_F(SupervisorTest, ARestartThatFailsIsTriedAgain) {
    SupervisorOptions options = this->options();
    const std::filesystem::path link = directory_.path() / "redis-server";
    std::filesystem::create_symlink(find_executable("redis-server"), link);
    options.executable = link.string();
    Supervisor supervisor{options};
    std::filesystem::remove(link);
    ::kill(static_cast<pid_t>(supervisor.health().pid), SIGKILL);
    EXPECT_THAT(events_.wait_for("redis_start_failed", 2), HasSubstr("not installed"));
    EXPECT_FALSE(supervisor.health().up);
    EXPECT_THAT(supervisor.health().reason, HasSubstr("not installed"));
    std::filesystem::create_symlink(find_executable("redis-server"), link);
    EXPECT_THAT(events_.wait_for("redis_ready", 2), HasSubstr("pid"));
    EXPECT_EQ(supervisor.health().restarts, 1u);
}

TEST_F(SupervisorTest, AChildThatDoesNotAnswerIsReportedAndLeftAlive) {
    Supervisor supervisor{options()};
    const auto pid = static_cast<pid_t>(supervisor.health().pid);
    ::kill(pid, SIGSTOP);
    EXPECT_THAT(events_.wait_for("redis_not_answering"), HasSubstr("no answer within"));
    EXPECT_FALSE(supervisor.health().up);
    EXPECT_THAT(supervisor.health().reason, HasSubstr("no answer within"));
    ::kill(pid, SIGCONT);
    events_.wait_for("redis_ready", 2);
    EXPECT_TRUE(supervisor.health().up);
    EXPECT_EQ(supervisor.health().pid, pid);
    EXPECT_EQ(supervisor.health().restarts, 0u);
}

TEST_F(SupervisorTest, AChildThatIgnoresSigtermIsKilled) {
    SupervisorOptions options = this->options();
    options.stop_timeout = Milliseconds{50};
    Supervisor supervisor{options};
    const std::int64_t pid = supervisor.health().pid;
    ::kill(static_cast<pid_t>(pid), SIGSTOP);
    supervisor.stop();
    EXPECT_FALSE(exists(pid));
    EXPECT_THAT(events_.wait_for("redis_killed"), HasSubstr("did not stop in 50 ms"));
}

TEST_F(SupervisorTest, AMissingExecutableNamesTheRemedy) {
    SupervisorOptions options = this->options();
    options.executable = "no-such-redis-server";
    EXPECT_THAT(failure(options), AllOf(HasSubstr("no-such-redis-server is not installed"),
                                        HasSubstr("apt-get install redis-server"),
                                        HasSubstr("--redis-url redis://HOST:PORT")));
}

TEST_F(SupervisorTest, AnUnwritableDirectoryNamesTheRemedy) {
    SupervisorOptions options = this->options();
    options.directory = "/proc/redis";
    EXPECT_THAT(failure(options),
                AllOf(HasSubstr("cannot make the directory /proc/redis"), HasSubstr("--data-dir")));
}

TEST_F(SupervisorTest, APortThatIsTakenNamesTheRemedies) {
    const ScriptedPeer peer;
    SupervisorOptions options = this->options();
    options.port = peer.port();
    options.port_timeout = Milliseconds{10};
    EXPECT_THAT(failure(options),
                AllOf(HasSubstr("port " + std::to_string(peer.port()) + " is in use"),
                      HasSubstr("another process"), HasSubstr("systemctl stop redis-server"),
                      HasSubstr("--port-offset N")));
}

TEST_F(SupervisorTest, APortOfAnotherRedisIsLeftToIt) {
    RedisServer other;
    SupervisorOptions options = this->options();
    options.port = other.port();
    EXPECT_THAT(failure(options),
                AllOf(HasSubstr("another redis-server"), HasSubstr("./dev down"),
                      HasSubstr("--port-offset N"), Not(HasSubstr("--redis-url"))));
    EXPECT_TRUE(other.running());
    EXPECT_EQ(events_.count("redis_started"), 0);
}

TEST_F(SupervisorTest, WaitsForAnEarlierRedisOfTheSameDirectoryToEnd) {
    RedisServer earlier;
    ASSERT_TRUE(earlier.client().command({"SET", "k", "kept"}));
    SupervisorOptions options = this->options();
    options.directory = earlier.directory();
    options.port = earlier.port();
    options.on_event = [&](std::string_view name, std::string_view detail) {
        events_.add(name, detail);
        if (name == "redis_waiting_for_port")
            earlier.stop();
    };
    const Supervisor supervisor{options};
    Client redis = client(supervisor);
    EXPECT_EQ(get(redis, "k"), "kept");
    EXPECT_EQ(events_.count("redis_waiting_for_port"), 1);
}

TEST_F(SupervisorTest, AnEarlierRedisThatDoesNotEndIsNamedAndLeftAlive) {
    RedisServer earlier;
    SupervisorOptions options = this->options();
    options.directory = earlier.directory();
    options.port = earlier.port();
    options.port_timeout = Milliseconds{10};
    EXPECT_THAT(failure(options), HasSubstr("redis-cli -p " + std::to_string(earlier.port())));
    EXPECT_TRUE(earlier.running());
}

TEST_F(SupervisorTest, AProgramThatEndsAtOnceIsQuoted) {
    SupervisorOptions options = this->options();
    options.executable = script("echo '7:C 1 Jan 2026 00:00:00.000 # no room' >&2; exit 7");
    EXPECT_THAT(failure(options), AllOf(HasSubstr("exited with status 7"),
                                        HasSubstr("last words: no room"), HasSubstr("redis.log")));
}

TEST_F(SupervisorTest, AProgramThatNeverAnswersIsStopped) {
    SupervisorOptions options = this->options();
    options.executable = script("echo $$ waits; exec sleep 1000");
    options.start_timeout = Milliseconds{300};
    EXPECT_THAT(failure(options),
                AllOf(HasSubstr("did not answer within 300 ms"), HasSubstr("refused")));
    EXPECT_THAT(events_.wait_for("redis_stopped"), HasSubstr("was killed by signal 15"));
}

// Redis answers LOADING once in 1,024 commands that it loads: each 0.4 s here, for 3 s or more.
TEST_F(SupervisorTest, ALongLoadIsWaitedForWhileItGoesOn) {
    SupervisorOptions options = slow_to_load("400");
    options.start_timeout = Milliseconds{2'000};
    const Supervisor supervisor{options};
    Client redis = client(supervisor);
    EXPECT_EQ(get(redis, "key:8191"), "value");
    EXPECT_EQ(events_.count("redis_loading"), 1);
}

TEST_F(SupervisorTest, ALongLoadCanBeGivenUp) {
    SupervisorOptions options = slow_to_load("2000");
    options.abandon = [this] { return events_.count("redis_loading") == 1; };
    EXPECT_THROW(Supervisor{options}, StartAbandoned);
    EXPECT_EQ(events_.count("redis_loading"), 1);
    EXPECT_EQ(events_.count("redis_stopped"), 2);

    const Supervisor supervisor{this->options()};
    Client redis = client(supervisor);
    EXPECT_EQ(get(redis, "key:8191"), "value");
}

TEST_F(SupervisorTest, ACutTailOfTheAppendOnlyFileIsForgiven) {
    {
        const Supervisor supervisor{options()};
        Client redis = client(supervisor);
        fill(redis, 100);
    }
    const auto size = std::filesystem::file_size(append_only_file());
    std::filesystem::resize_file(append_only_file(), size - 5);
    const Supervisor supervisor{options()};
    Client redis = client(supervisor);
    EXPECT_EQ(get(redis, "key:98"), "value");
    EXPECT_TRUE(redis.command({"GET", "key:99"}).value().is_nil());
    EXPECT_THAT(events_.wait_for("redis_torn_tail"), HasSubstr("bytes of an unfinished write"));
}

TEST_F(SupervisorTest, AnAppendOnlyFileDamagedInTheMiddleNamesARepairThatWorks) {
    {
        const Supervisor supervisor{options()};
        Client redis = client(supervisor);
        fill(redis, 100);
    }
    const auto size = std::filesystem::file_size(append_only_file());
    {
        std::fstream file{append_only_file(), std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(static_cast<std::streamoff>(size / 2));
        file << std::string(64, '#');
    }
    const std::string message = failure(options());
    EXPECT_THAT(message,
                AllOf(HasSubstr("does not start"), HasSubstr("append-only file is damaged"),
                      HasSubstr("Bad file format")));
    const std::size_t begin = message.find("redis-check-aof --fix /");
    ASSERT_NE(begin, std::string::npos) << message;
    const std::string command = message.substr(begin, message.find(" (") - begin);
    ASSERT_EQ(std::system(("echo y | " + command + " >/dev/null 2>&1").c_str()), 0) << command;

    const Supervisor supervisor{options()};
    Client redis = client(supervisor);
    EXPECT_EQ(get(redis, "key:0"), "value");
}

}  // namespace
}  // namespace adtally::redis
