#include "app/replay/sender.hpp"

#include <gmock/gmock.h>

#include "app/replay/test_support.hpp"

namespace adtally::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

SenderOptions quick() {
    SenderOptions options;
    options.url = "http://collector/api/events/batch";
    options.retry_first = Milliseconds{1};
    options.retry_at_most = Milliseconds{5};
    return options;
}

Batch batch_of(std::string_view lines) {
    return Batch{std::string(lines),
                 static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'))};
}

// Sends batches with the script and returns the books.
ReplayResult send(ScriptedCollector& collector, const std::vector<std::string>& bodies,
                  SenderOptions options = quick()) {
    Statistics statistics;
    Sender sender{options, statistics, collector.transport()};
    for (const std::string& body : bodies) {
        Batch batch = batch_of(body);
        statistics.events_read(batch.events);
        EXPECT_TRUE(sender.submit(std::move(batch)));
    }
    sender.finish();
    return statistics.snapshot();
}

TEST(Sender, CountsWhatIsAcknowledged) {
    ScriptedCollector collector;
    ReplayResult books = send(collector, {"a\nb\n", "c\n"});
    EXPECT_EQ(books.accepted, 3u);
    EXPECT_EQ(books.batches, 2u);
    EXPECT_EQ(books.unacknowledged, 0u);
    EXPECT_THAT(collector.bodies(), ElementsAre("a\nb\n", "c\n"));
}

TEST(Sender, SendsTheSameBytesAgainUntilTheyAreTaken) {
    ScriptedCollector collector;
    collector.will_answer({.status = 503, .body = {}, .headers = {{"retry-after", "3600"}}});
    collector.will_answer({.status = 0, .body = {}, .headers = {}});
    collector.will_answer({.status = 429, .body = {}, .headers = {}});
    ReplayResult books = send(collector, {"a\n"});
    EXPECT_THAT(collector.bodies(), ElementsAre("a\n", "a\n", "a\n", "a\n"));
    EXPECT_EQ(books.retries, 3u);
    EXPECT_EQ(books.accepted, 1u);
}

TEST(Sender, CountsRejectionsByCode) {
    ScriptedCollector collector;
    collector.will_answer({.status = 202,
                           .body = R"({"accepted":1,"rejected":[
            {"index":1,"code":"missing_field","message":"ad_id is required"},
            {"index":2,"code":"missing_field","message":"type is required"}]})",
                           .headers = {}});
    ReplayResult books = send(collector, {"a\nb\nc\n"});
    EXPECT_EQ(books.accepted, 1u);
    EXPECT_EQ(books.rejected, 2u);
    EXPECT_EQ(books.rejected_by_code.at("missing_field").count, 2u);
    EXPECT_EQ(books.rejected_by_code.at("missing_field").example, "ad_id is required");
}

TEST(Sender, ARefusedBatchIsNotSentAgain) {
    ScriptedCollector collector;
    collector.will_answer({.status = 413,
                           .body = R"({"code":"body_too_large","detail":"at most 4 MiB"})",
                           .headers = {}});
    ReplayResult books = send(collector, {"a\nb\n", "c\n"});
    EXPECT_THAT(collector.bodies(), SizeIs(2));
    EXPECT_EQ(books.rejected_by_code.at("body_too_large").count, 2u);
    EXPECT_EQ(books.accepted, 1u);
}

TEST(Sender, AnAnswerThatDoesNotAddUpIsNotAnAcknowledgement) {
    ScriptedCollector collector;
    collector.will_answer({.status = 202, .body = R"({"accepted":1})", .headers = {}});
    ReplayResult books = send(collector, {"a\nb\n"});
    EXPECT_EQ(books.accepted, 1u);
    EXPECT_EQ(books.rejected_by_code.at("unaccounted").count, 1u);
}

TEST(Sender, GivesUpWhenNothingIsEverAcknowledged) {
    ScriptedCollector collector;
    for (int i = 0; i < 1'000; ++i) {
        collector.will_answer({.status = 0, .body = {}, .headers = {}});
    }
    SenderOptions options = quick();
    options.give_up_after = Milliseconds{20};
    ReplayResult books = send(collector, {"a\n"}, options);
    EXPECT_EQ(books.unacknowledged, 1u);
    EXPECT_THAT(books.last_trouble, HasSubstr("broke"));
}

TEST(Sender, AbandonEndsALongWait) {
    ScriptedCollector collector;
    collector.will_answer({.status = 503, .body = {}, .headers = {{"retry-after", "3600"}}});
    SenderOptions options = quick();
    options.retry_at_most = Milliseconds{3'600'000};
    Statistics statistics;
    Sender sender{options, statistics, collector.transport()};
    statistics.events_read(1);
    ASSERT_TRUE(sender.submit(batch_of("a\n")));
    sender.abandon();
    sender.finish();
    EXPECT_EQ(statistics.snapshot().unacknowledged, 1u);
    EXPECT_FALSE(sender.submit(batch_of("b\n")));
}

TEST(Sender, ManyConnectionsLoseNothing) {
    ScriptedCollector collector;
    SenderOptions options = quick();
    options.connections = 8;
    std::vector<std::string> bodies(200, "a\nb\n");
    ReplayResult books = send(collector, bodies, options);
    EXPECT_EQ(books.accepted, 400u);
    EXPECT_EQ(books.unacknowledged, 0u);
}

}  // namespace
}  // namespace adtally::replay
