#include "app/data_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <stdexcept>
#include <string>

namespace adtally::app {
namespace {

class DataDirectoryTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "adtally-data-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        path_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(path_); }
    std::string refusal(const std::filesystem::path& path) {
        try {
            DataDirectory directory(path, Milliseconds{0});
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "";
    }

    std::filesystem::path path_;
};

TEST_F(DataDirectoryTest, IsMadeAndHeldByOne) {
    std::filesystem::path deep = path_ / "a" / "b";
    DataDirectory first(deep, Milliseconds{0});
    EXPECT_TRUE(std::filesystem::exists(deep / "LOCK"));
    EXPECT_NE(refusal(deep).find("choose another with --data-dir"), std::string::npos);
}

TEST_F(DataDirectoryTest, IsFreeAgainWhenTheHolderEnds) {
    { DataDirectory first(path_, Milliseconds{0}); }
    EXPECT_EQ(refusal(path_), "");
}

TEST_F(DataDirectoryTest, StaysHeldWhileAnHeirLives) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_t heir = 0;
    {
        DataDirectory first(path_, Milliseconds{0});
        heir = ::fork();
        if (heir == 0) {
            char wait = 0;
            ::close(ends[1]);
            (void)!::read(ends[0], &wait, 1);
            ::_exit(0);
        }
    }
    EXPECT_NE(refusal(path_), "");
    ::close(ends[1]);
    ASSERT_EQ(::waitpid(heir, nullptr, 0), heir);
    EXPECT_EQ(refusal(path_), "");
    ::close(ends[0]);
}

TEST_F(DataDirectoryTest, AFileInTheWayIsNamedWithTheRemedy) {
    std::filesystem::path in_the_way = path_ / "file";
    ::close(::open(in_the_way.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    std::string told = refusal(in_the_way / "data");
    EXPECT_NE(told.find(in_the_way.string()), std::string::npos);
    EXPECT_NE(told.find("--data-dir"), std::string::npos);
}

}  // namespace
}  // namespace adtally::app
