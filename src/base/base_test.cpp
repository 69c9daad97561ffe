#include <gtest/gtest.h>
#include <csignal>
#include <memory>

#include "base/clock.hpp"
#include "base/crash_points.hpp"
#include "base/hex.hpp"
#include "base/result.hpp"
#include "base/strong.hpp"
#include "base/unique_function.hpp"

namespace adtally {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0)
        return Error{ErrorCode::invalid_argument, "odd"};
    return number / 2;
}

Result<int> quarter(int number) {
    ADTALLY_TRY(int once, half(number));
    return half(once);
}

TEST(Result, CarriesAValueOrTheFirstError) {
    EXPECT_EQ(quarter(8).value(), 2);
    ASSERT_FALSE(quarter(6).has_value());
    EXPECT_EQ(quarter(6).error().message, "odd");
    EXPECT_EQ(to_string(quarter(6).error().code), "invalid_argument");
}

TEST(UniqueFunction, HoldsWhatCanOnlyBeMoved) {
    auto number = std::make_unique<int>(41);
    UniqueFunction<int(int)> add = [number = std::move(number)](int more) {
        return *number + more;
    };
    UniqueFunction<int(int)> moved = std::move(add);
    EXPECT_EQ(moved(1), 42);
    EXPECT_FALSE(add);
}

TEST(UniqueFunctionDeathTest, AnEmptyOneIsABug) {
    UniqueFunction<void()> empty;
    EXPECT_DEATH(empty(), "assertion failed");
}

TEST(Strong, ComparesAndHashes) {
    EXPECT_LT(Offset{1}, Offset{2});
    EXPECT_EQ(std::hash<Offset>{}(Offset{7}), std::hash<Offset>{}(Offset{7}));
    EXPECT_NE(std::hash<Offset>{}(Offset{7}), std::hash<Offset>{}(Offset{8}));
}

TEST(Deadline, LeavesNothingOnceItHasPassed) {
    Deadline passed = Deadline::after(Milliseconds{-5});
    EXPECT_TRUE(passed.passed());
    EXPECT_EQ(passed.left().count(), 0);
    EXPECT_GT(Deadline::after(Milliseconds{60'000}).left().count(), 0);
}

TEST(ManualClock, MovesOnlyWhenTold) {
    ManualClock clock(TimestampMs{1'000});
    SteadyTime before = clock.steady();
    clock.advance(Milliseconds{250});
    EXPECT_EQ(clock.wall(), TimestampMs{1'250});
    EXPECT_EQ(clock.steady() - before, Milliseconds{250});
}

TEST(HexDigit, KnowsBothCasesAndNothingElse) {
    for (int value = 0; value < 16; ++value) {
        EXPECT_EQ(hex_digit("0123456789abcdef"[value]), value);
        EXPECT_EQ(hex_digit("0123456789ABCDEF"[value]), value);
    }
    for (char other : {'/', ':', '@', 'G', '`', 'g', '\0', '\xff'})
        EXPECT_EQ(hex_digit(other), -1);
}

TEST(CrashPoints, AnUnknownNameListsTheKnownOnes) {
    auto unknown = parse_crash_point("log-befor-commit");
    ASSERT_FALSE(unknown.has_value());
    EXPECT_NE(unknown.error().message.find("log-before-commit"), std::string::npos);
}

TEST(CrashPointsDeathTest, TheNthPassEndsTheProcessAsKillDoes) {
    CrashPoints points(CrashPoint::log_after_commit, 2);
    points.pass(CrashPoint::log_after_commit);
    points.pass(CrashPoint::log_before_commit);
    EXPECT_EXIT(points.pass(CrashPoint::log_after_commit), testing::KilledBySignal(SIGKILL), "");
}

}  // namespace
}  // namespace adtally
