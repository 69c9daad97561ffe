#include "app/replay/feed.hpp"

#include <gmock/gmock.h>

#include "app/replay/test_support.hpp"

namespace adtally::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string event(std::string_view id, std::string_view time) {
    return R"({"event_id":")" + std::string(id) + R"(","timestamp":")" + std::string(time) +
           "\"}\n";
}

std::vector<Batch> feed_all(const ReplayOptions& options, Statistics& statistics) {
    std::vector<Batch> batches;
    Feed feed{options, statistics, [&batches](Batch batch) {
                  batches.push_back(std::move(batch));
                  return true;
              }};
    EXPECT_TRUE(feed.run({}));
    return batches;
}

// The ids, in the order in which they would be sent.
std::string order(const std::vector<Batch>& batches) {
    std::string ids;
    for (const Batch& batch : batches) {
        std::size_t at = 0;
        while ((at = batch.body.find("event_id\":\"", at)) != std::string::npos) {
            at += 11;
            ids += batch.body[at];
        }
    }
    return ids;
}

TEST(Pace, KeepsTheDistancesDividedBySpeed) {
    SteadyTime start{};
    Pace pace{10, start};
    EXPECT_EQ(pace.due(TimestampMs{5'000}), start);
    EXPECT_EQ(pace.due(TimestampMs{6'000}), start + Milliseconds{100});
    EXPECT_EQ(pace.due(TimestampMs{0}), start);
    EXPECT_EQ(pace.due(TimestampMs{4'000}), start - Milliseconds{100});
}

TEST(Feed, CutsBatches) {
    TemporaryFile file{event("a", "2024-01-01T00:00:00Z") + event("b", "2024-01-01T00:00:01Z") +
                       event("c", "2024-01-01T00:00:02Z")};
    Statistics statistics;
    ReplayOptions options{.files = {file.path()}, .batch = 2};
    auto batches = feed_all(options, statistics);
    ASSERT_THAT(batches, SizeIs(2));
    EXPECT_EQ(batches[0].events, 2u);
    EXPECT_EQ(batches[1].events, 1u);
    EXPECT_EQ(order(batches), "abc");
    EXPECT_EQ(statistics.snapshot().events, 3u);
}

TEST(Feed, AtFullSpeedFilesFollowEachOther) {
    TemporaryFile one{event("a", "2024-01-01T00:00:05Z") + event("b", "2024-01-01T00:00:06Z")};
    TemporaryFile two{event("c", "2024-01-01T00:00:00Z")};
    Statistics statistics;
    ReplayOptions options{.files = {one.path(), two.path()}};
    EXPECT_EQ(order(feed_all(options, statistics)), "abc");
}

TEST(Feed, WithASpeedFilesAreMergedByTime) {
    TemporaryFile one{event("a", "2024-01-01T00:00:05Z") + event("b", "2024-01-01T00:00:09Z")};
    TemporaryFile two{event("c", "2024-01-01T00:00:00Z") + event("d", "2024-01-01T00:00:07Z")};
    Statistics statistics;
    ReplayOptions options{.files = {one.path(), two.path()}, .speed = 1e6};
    EXPECT_EQ(order(feed_all(options, statistics)), "cadb");
}

TEST(Feed, ReverseTurnsTheRowsAround) {
    TemporaryFile file{event("a", "2024-01-01T00:00:00Z") + event("b", "2024-01-01T00:00:01Z")};
    Statistics statistics;
    ReplayOptions options{.files = {file.path()}, .reverse = true};
    EXPECT_EQ(order(feed_all(options, statistics)), "ba");
}

TEST(Feed, TimeShiftMakesTheLatestEventNow) {
    TemporaryFile file{event("a", "2024-01-02T00:00:00Z") + event("b", "2024-01-01T00:00:00Z")};
    ReplayOptions options{.files = {file.path()}};
    auto latest = latest_time(options);
    ASSERT_TRUE(latest);
    EXPECT_EQ(latest.value().value, 1'704'153'600'000);

    Statistics statistics;
    options.time_shift_now = true;
    std::int64_t before = SystemClock{}.wall().value;
    auto batches = feed_all(options, statistics);
    std::int64_t after = SystemClock{}.wall().value;
    ASSERT_THAT(batches, SizeIs(1));
    TemporaryFile shifted{batches[0].body};
    ReadAll all = read_all(Format::ndjson, shifted.path());
    ASSERT_THAT(all.events, SizeIs(2));
    EXPECT_GE(all.events[0].time.value, before);
    EXPECT_LE(all.events[0].time.value, after);
    EXPECT_EQ(all.events[0].time.value - all.events[1].time.value, 86'400'000);
}

TEST(Feed, CountsUnreadableRows) {
    TemporaryFile file{"nonsense\n" + event("a", "2024-01-01T00:00:00Z")};
    Statistics statistics;
    ReplayOptions options{.files = {file.path()}};
    EXPECT_EQ(order(feed_all(options, statistics)), "a");
    ReplayResult books = statistics.snapshot();
    EXPECT_EQ(books.events, 2u);
    EXPECT_EQ(books.rejected_by_code.at("unreadable_row").count, 1u);
    EXPECT_THAT(books.rejected_by_code.at("unreadable_row").example, HasSubstr(":1: "));
}

TEST(Feed, StopsWhenSendingHasEnded) {
    TemporaryFile file{event("a", "2024-01-01T00:00:00Z") + event("b", "2024-01-01T00:00:01Z")};
    Statistics statistics;
    ReplayOptions options{.files = {file.path()}, .batch = 1};
    int submitted = 0;
    Feed feed{options, statistics, [&submitted](Batch) {
                  ++submitted;
                  return false;
              }};
    EXPECT_TRUE(feed.run({}));
    EXPECT_EQ(submitted, 1);
}

TEST(Feed, AStopEndsTheWaitForTheNextEvent) {
    TemporaryFile file{event("a", "2024-01-01T00:00:00Z") + event("b", "2034-01-01T00:00:00Z")};
    Statistics statistics;
    ReplayOptions options{.files = {file.path()}, .speed = 1};
    std::stop_source stop;
    int submitted = 0;
    Feed feed{options, statistics, [&](Batch) {  // the first one, sent after lingering
                  ++submitted;
                  stop.request_stop();
                  return true;
              }};
    EXPECT_TRUE(feed.run(stop.get_token()));
    EXPECT_EQ(submitted, 1);
}

TEST(Replay, RefusesOptionsThatMakeNoSense) {
    EXPECT_EQ(run_replay(ReplayOptions{.quiet = true, .stop = std::stop_token{}}), 2);
    EXPECT_EQ(run_replay(ReplayOptions{
                  .files = {"f"}, .speed = 2, .reverse = true, .stop = std::stop_token{}}),
              2);
    EXPECT_EQ(run_replay(ReplayOptions{
                  .files = {"/nonexistent"}, .quiet = true, .stop = std::stop_token{}}),
              1);
}

}  // namespace
}  // namespace adtally::replay
