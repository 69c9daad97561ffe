// kill -9 at any moment: what was acknowledged is there, once.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

constexpr unsigned seed = 20'240'115;

// A process that appends until it is killed; its acknowledged ids come through a pipe.
class Appender {
public:
    Appender(const std::filesystem::path& directory, int round, const char* crash_point, int pass) {
        const std::string path = directory.string();
        const std::string round_text = std::to_string(round);
        const std::string pass_text = std::to_string(pass);
        const char* const arguments[] = {
            "/proc/self/exe", "--append-until-killed", path.c_str(), round_text.c_str(),
            crash_point,      pass_text.c_str(),       nullptr};
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            ::close(ends[0]);
            ::close(ends[1]);
            ::execv(arguments[0], const_cast<char* const*>(arguments));
            ::_exit(4);
        }
        ::close(ends[1]);
        from_ = ends[0];
    }
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;
    ~Appender() {
        ::close(from_);
        if (!reaped_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    // Reads until there are `count` ids, or the process has ended.
    void read_ids(std::size_t count) {
        char buffer[4096];
        while (ids_.size() < count) {
            const auto size = ::read(from_, buffer, sizeof buffer);
            if (size <= 0)
                return;
            for (const char byte : std::string_view{buffer, static_cast<std::size_t>(size)}) {
                if (byte == '\n')
                    ids_.insert(std::exchange(line_, {}));
                else
                    line_ += byte;
            }
        }
    }
    void kill() { ::kill(pid_, SIGKILL); }
    // All ids that were ever reported. An id that was cut off in its middle was not.
    std::set<std::string> acknowledged_when_dead() {
        read_ids(static_cast<std::size_t>(-1));
        int status = 0;
        ::waitpid(pid_, &status, 0);
        reaped_ = true;
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
        return ids_;
    }

private:
    pid_t pid_ = -1;
    int from_ = -1;
    bool reaped_ = false;
    std::string line_;
    std::set<std::string> ids_;
};

class CrashTest : public LogFixture {
protected:
    // How many records there are beyond the acknowledged ones.
    std::size_t expect_all_once(const std::set<std::string>& acknowledged) {
        open();
        const auto values = values_of(read_all(*log));
        for (const std::string& id : acknowledged)
            EXPECT_EQ(values.count(id), 1u) << id;
        const std::set<std::string> distinct(values.begin(), values.end());
        EXPECT_EQ(distinct.size(), values.size()) << "a record is there twice";
        log.reset();
        return values.size() - std::min(values.size(), acknowledged.size());
    }
};

TEST_F(CrashTest, KeepsEveryAcknowledgedRecordOnceWhenKilledAtAnyMoment) {
    std::mt19937 random{seed};
    std::set<std::string> acknowledged;
    for (int round = 0; round < 10; ++round) {
        SCOPED_TRACE(round);
        Appender appender{options.directory, round, "none", 1};
        appender.read_ids(1 + random() % 3000);
        appender.kill();
        acknowledged.merge(appender.acknowledged_when_dead());
        expect_all_once(acknowledged);
    }
    EXPECT_GT(acknowledged.size(), 1000u);
}

TEST_F(CrashTest, KeepsEveryAcknowledgedRecordOnceWhenItDiesBeforeACommit) {
    std::set<std::string> acknowledged;
    for (int round = 0; round < 3; ++round) {
        Appender appender{options.directory, round, "log-before-commit", 5};
        acknowledged.merge(appender.acknowledged_when_dead());
        EXPECT_EQ(expect_all_once(acknowledged), 0u);
    }
    EXPECT_GT(acknowledged.size(), 3u);
}

TEST_F(CrashTest, HasMoreThanWasAcknowledgedWhenItDiesAfterACommit) {
    std::set<std::string> acknowledged;
    std::size_t beyond = 0;
    for (int round = 0; round < 3; ++round) {
        Appender appender{options.directory, round, "log-after-commit", 5};
        acknowledged.merge(appender.acknowledged_when_dead());
        const std::size_t now = expect_all_once(acknowledged);
        EXPECT_GT(now, beyond);
        beyond = now;
    }
}

TEST_F(CrashTest, RefusesADirectoryThatAnotherProcessUses) {
    Appender appender{options.directory, 0, "none", 1};
    appender.read_ids(1);
    EXPECT_NE(refusal().find("is in use by another adtally; stop it"), std::string::npos);
    appender.kill();
    expect_all_once(appender.acknowledged_when_dead());
}

// Whatever is cut off the end of the write-ahead log, what is left is whole and goes on.
TEST_F(CrashTest, OpensAfterAKillWithAnyPartOfTheTailMissing) {
    std::mt19937 random{seed};
    for (int round = 0; round < 6; ++round) {
        SCOPED_TRACE(round);
        {
            Appender appender{options.directory, round, "none", 1};
            appender.read_ids(500);
            appender.kill();
            EXPECT_GE(appender.acknowledged_when_dead().size(), 500u);
        }
        const auto wal = file(".log");
        const auto size = std::filesystem::file_size(wal);
        std::filesystem::resize_file(wal, size - std::min<std::uintmax_t>(size, random() % 2000));
        expect_all_once({});
    }
}

}  // namespace
}  // namespace adtally::eventlog
