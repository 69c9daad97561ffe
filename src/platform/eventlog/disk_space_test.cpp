#include "platform/eventlog/disk_space.hpp"

#include <gtest/gtest.h>

namespace adtally::eventlog {
namespace {

constexpr std::uint64_t mebibyte = 1u << 20;

TEST(DiskSpace, RefusesWhatWouldGoBelowTheMinimum) {
    std::uint64_t free = 100 * mebibyte;
    DiskSpace disk{"/data", 64 * mebibyte, [&] { return free; }};
    EXPECT_FALSE(disk.shortage(36 * mebibyte));
    const auto shortage = disk.shortage(37 * mebibyte);
    ASSERT_TRUE(shortage);
    EXPECT_EQ(shortage->code, ErrorCode::storage_full);
    EXPECT_EQ(shortage->message,
              "100 MiB free on the disk of /data, 64 MiB must stay free: make room there");
    EXPECT_FALSE(disk.shortage_now());
}

TEST(DiskSpace, AsksAgainAfterAMebibyteAtTheLatest) {
    int asked = 0;
    DiskSpace disk{"/data", 0, [&] {
                       ++asked;
                       return std::uint64_t{0};
                   }};
    disk.shortage(1);
    EXPECT_EQ(asked, 1);
    disk.shortage(mebibyte);
    EXPECT_EQ(asked, 2);
}

TEST(DiskSpace, AsksTheFileSystemWithoutAProbe) {
    DiskSpace enough{"/", 0, {}};
    EXPECT_FALSE(enough.shortage_now());
    DiskSpace never{"/", std::uint64_t{1} << 62, {}};
    EXPECT_TRUE(never.shortage_now());
}

}  // namespace
}  // namespace adtally::eventlog
