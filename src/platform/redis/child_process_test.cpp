#include "platform/redis/child_process.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "platform/redis/test_support.hpp"

namespace adtally::redis {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Milliseconds long_enough{20'000};

class ChildProcessTest : public testing::Test {
protected:
    Result<ChildProcess> start(std::string_view program, std::vector<std::string> arguments) {
        return ChildProcess::start(
            ChildOptions{find_executable(program), std::move(arguments), output_, SIGTERM});
    }
    std::string output() const {
        std::ifstream file{output_};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    std::string output_of(std::string_view program, std::vector<std::string> arguments) {
        Result<ChildProcess> child = start(program, std::move(arguments));
        return child && child.value().wait(long_enough) ? output() : "did not end";
    }

    TemporaryDirectory directory_;
    std::filesystem::path output_ = directory_.path() / "output";
};

TEST_F(ChildProcessTest, TellsHowItEnded) {
    Result<ChildProcess> child = start("sh", {"-c", "echo out; echo err >&2; exit 3"});
    ASSERT_TRUE(child) << child.error().message;
    EXPECT_EQ(child.value().wait(long_enough), "exited with status 3");
    EXPECT_EQ(output(), "out\nerr\n");
    EXPECT_FALSE(child.value().signal(SIGTERM));

    Result<ChildProcess> sleeper = start("sleep", {"1000"});
    ASSERT_TRUE(sleeper);
    EXPECT_EQ(sleeper.value().wait(Milliseconds{1}), std::nullopt);
    EXPECT_TRUE(sleeper.value().signal(SIGKILL));
    EXPECT_EQ(sleeper.value().wait(long_enough), "was killed by signal 9");
}

TEST_F(ChildProcessTest, AFailedExecIsAnErrorOfStart) {
    const Result<ChildProcess> child =
        ChildProcess::start(ChildOptions{"/nonexistent/program", {}, output_, 0});
    ASSERT_FALSE(child);
    EXPECT_THAT(child.error().message, HasSubstr("/nonexistent/program: No such file"));
}

TEST_F(ChildProcessTest, InheritsNoDescriptor) {
    const Descriptor inheritable{::open("/etc/passwd", O_RDONLY)};
    ASSERT_TRUE(inheritable);
    EXPECT_THAT(output_of("ls", {"-l", "/proc/self/fd"}), Not(HasSubstr("/etc/passwd")));
    EXPECT_THAT(output(), HasSubstr("/dev/null"));
}

TEST_F(ChildProcessTest, HasNoSignalBlockedOrIgnored) {
    sigset_t some;
    sigset_t before;
    ::sigemptyset(&some);
    ::sigaddset(&some, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &some, &before);
    const auto handler = std::signal(SIGPIPE, SIG_IGN);
    const std::string status = output_of("cat", {"/proc/self/status"});
    std::signal(SIGPIPE, handler);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000"));
    EXPECT_THAT(status, HasSubstr("SigIgn:\t0000000000000000"));
}

TEST_F(ChildProcessTest, HasAProcessGroupOfItsOwn) {
    Result<ChildProcess> child = start("sleep", {"1000"});
    ASSERT_TRUE(child);
    EXPECT_EQ(::getpgid(child.value().pid()), child.value().pid());
}

TEST_F(ChildProcessTest, DiesWithTheThreadThatStartedIt) {
    std::optional<ChildProcess> child;
    std::thread starter{[&] {
        Result<ChildProcess> started = start("sleep", {"1000"});
        if (started)
            child.emplace(std::move(started.value()));
    }};
    starter.join();
    ASSERT_TRUE(child);
    EXPECT_EQ(child->wait(long_enough), "was killed by signal 15");
}

TEST_F(ChildProcessTest, IsKilledAndReapedWithItsObject) {
    pid_t pid = 0;
    {
        Result<ChildProcess> child = start("sleep", {"1000"});
        ASSERT_TRUE(child);
        pid = child.value().pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
}

TEST(FindExecutable, LooksAlongThePathAndTakesASlashAsItIs) {
    EXPECT_THAT(find_executable("sh").string(), testing::EndsWith("/sh"));
    EXPECT_EQ(find_executable("/bin/sh"), "/bin/sh");
    EXPECT_EQ(find_executable("no-such-program-anywhere"), "");
    EXPECT_EQ(find_executable("/etc/passwd"), "");
    EXPECT_EQ(find_executable("/"), "");
}

}  // namespace
}  // namespace adtally::redis
