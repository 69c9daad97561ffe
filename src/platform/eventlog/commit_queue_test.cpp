#include "platform/eventlog/commit_queue.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace adtally::eventlog {
namespace {

const SteadyTime now{};  // the past: a take() that finds nothing returns at once

PendingAppend append_of(std::size_t bytes) {
    PendingAppend append{0, {}, [](Status) {}};
    append.batch.add("", std::string(bytes, 'x'));
    return append;
}

bool push(CommitQueue& queue, std::size_t bytes) {
    PendingAppend append = append_of(bytes);
    return !queue.push(append);
}

TEST(CommitQueue, GivesAllThatWaitsInOrder) {
    CommitQueue queue{{Milliseconds{0}, 1000, 10'000}};
    std::vector<PendingAppend> group;
    EXPECT_TRUE(queue.take(group, now));
    EXPECT_TRUE(group.empty());
    EXPECT_TRUE(push(queue, 1));
    EXPECT_TRUE(push(queue, 2));
    EXPECT_TRUE(queue.take(group, now));
    ASSERT_EQ(group.size(), 2u);
    EXPECT_EQ(group[0].batch.byte_size(), 1u);
    EXPECT_EQ(group[1].batch.byte_size(), 2u);
    EXPECT_EQ(queue.in_flight().appends, 2u);
    queue.answered({2, group[0].bytes() + group[1].bytes()});
    EXPECT_EQ(queue.in_flight().appends, 0u);
    EXPECT_EQ(queue.in_flight().bytes, 0u);
}

TEST(CommitQueue, DoesNotWaitForCompanyWhenTheCommitIsLarge) {
    CommitQueue queue{{Milliseconds{3'600'000}, 1000, 10'000}};
    EXPECT_TRUE(push(queue, 2000));
    std::vector<PendingAppend> group;
    EXPECT_TRUE(queue.take(group, now));
    EXPECT_EQ(group.size(), 1u);
}

TEST(CommitQueue, RefusesWhatIsTooMuchAndTakesItOnceOthersAreAnswered) {
    CommitQueue queue{{Milliseconds{0}, 1000, 1500}};
    EXPECT_TRUE(push(queue, 1000));
    PendingAppend second = append_of(1000);
    const auto refused = queue.push(second);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, ErrorCode::overloaded);
    EXPECT_TRUE(second.done);
    std::vector<PendingAppend> group;
    queue.take(group, now);
    EXPECT_TRUE(queue.push(second));
    queue.answered({1, group[0].bytes()});
    EXPECT_FALSE(queue.push(second));

    PendingAppend giant = append_of(5000);
    EXPECT_EQ(queue.push(giant)->code, ErrorCode::too_large);
}

TEST(CommitQueue, RefusesWithTheReasonUntilItAcceptsAgain) {
    CommitQueue queue{{Milliseconds{0}, 1000, 10'000}};
    queue.refuse({ErrorCode::storage_full, "no room"});
    PendingAppend append = append_of(1);
    EXPECT_EQ(queue.push(append)->code, ErrorCode::storage_full);
    EXPECT_EQ(queue.refusal()->message, "no room");
    queue.accept();
    EXPECT_FALSE(queue.refusal());
    EXPECT_FALSE(queue.push(append));
}

TEST(CommitQueue, GivesTheRestWhenItCloses) {
    CommitQueue queue{{Milliseconds{3'600'000}, 1000, 10'000}};
    EXPECT_TRUE(push(queue, 1));
    queue.close();
    PendingAppend late = append_of(1);
    EXPECT_EQ(queue.push(late)->code, ErrorCode::unavailable);
    std::vector<PendingAppend> group;
    EXPECT_TRUE(queue.take(group, now));
    EXPECT_EQ(group.size(), 1u);
    EXPECT_FALSE(queue.take(group, now));
    EXPECT_TRUE(group.empty());
}

}  // namespace
}  // namespace adtally::eventlog
