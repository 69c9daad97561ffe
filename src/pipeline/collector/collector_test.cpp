// The promise under pressure: refusals, deadlines, a log that fails, the stop, and the books.
#include "pipeline/collector/collector.hpp"

#include <gmock/gmock.h>

#include <stdexcept>
#include <thread>

#include "pipeline/collector/test_support.hpp"

namespace adtally::collector {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* click = R"({"event_id":"c-1","type":"click","ad_id":7,"campaign_id":3})";
constexpr const char* three_clicks =
    R"([{"event_id":"a","type":"click","ad_id":7,"campaign_id":3},)"
    R"({"event_id":"b","type":"click","ad_id":7,"campaign_id":3},)"
    R"({"event_id":"c","type":"click","ad_id":7,"campaign_id":3}])";

TEST(LogErrors, EachHasItsAnswer) {
    struct Row {
        ErrorCode error;
        int status;
        const char* code;
        const char* retry_after;
    };
    for (const Row& row : {
             Row{ErrorCode::overloaded, 503, "log_overloaded", "1"},
             Row{ErrorCode::storage_full, 503, "log_storage_full", "10"},
             Row{ErrorCode::unavailable, 503, "log_unavailable", "1"},
             Row{ErrorCode::timed_out, 503, "log_timed_out", "1"},
             Row{ErrorCode::too_large, 413, "too_large", ""},
             Row{ErrorCode::corrupt, 503, "log_failed", "1"},
             Row{ErrorCode::internal, 503, "log_failed", "1"},
             Row{ErrorCode::not_found, 503, "log_failed", "1"},
             Row{ErrorCode::conflict, 503, "log_failed", "1"},
             Row{ErrorCode::invalid_argument, 503, "log_failed", "1"},
         }) {
        TestBed bed;
        bed.log.complete_with(Error{row.error, "/secret/path is broken"});
        auto client = bed.post_event(click);
        EXPECT_EQ(client->status(), row.status) << row.code;
        EXPECT_THAT(client->body(), HasSubstr("\"code\":\"" + std::string(row.code) + "\""));
        EXPECT_THAT(client->body(), testing::Not(HasSubstr("secret")));
        EXPECT_EQ(client->header("Retry-After"), row.retry_after) << row.code;
        EXPECT_EQ(bed.refused(row.code), 1) << row.code;
        EXPECT_EQ(bed.collector->snapshot().failed, 1u);
        EXPECT_EQ(bed.collector->snapshot().accepted, 0u);
    }
}

TEST(AckDeadline, AnAnswerGoesOutInTimeAndOnlyOnce) {
    TestBed bed({.ack_deadline = Milliseconds{10'000}});
    bed.log.hold();
    auto first = bed.post_event(click);
    bed.clock.advance(Milliseconds{9'999});
    auto second = bed.post_event(click);

    bed.collector->sweep();
    EXPECT_FALSE(first->answered());
    bed.clock.advance(Milliseconds{1});
    bed.collector->sweep();

    EXPECT_EQ(first->status(), 503);
    EXPECT_EQ(first->header("Retry-After"), "1");
    EXPECT_THAT(first->body(),
                HasSubstr("may have been accepted: repeat it with the same event_id"));
    EXPECT_FALSE(second->answered());
    EXPECT_EQ(bed.collector->snapshot().in_flight, 2u) << "the log still holds both";

    bed.log.release();  // FakeConnection asserts that there is no second answer
    bed.log.release();
    EXPECT_EQ(second->status(), 202);
    CollectorBooks books = bed.collector->snapshot();
    EXPECT_EQ(books.accepted, 1u);
    EXPECT_EQ(books.late, 1u);
    EXPECT_EQ(books.appended, 2u);
    EXPECT_EQ(books.in_flight, 0u);
}

TEST(AckDeadline, ACompletionOutOfOrderLeavesTheOthersWaiting) {
    TestBed bed;
    bed.log.hold();
    std::vector<TestBed::Client> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(bed.post_event(click));
    bed.log.release();
    bed.log.release();
    clients.push_back(bed.post_event(click));

    bed.clock.advance(Milliseconds{10'000});
    bed.collector->sweep();

    EXPECT_EQ(clients[0]->status(), 202);
    EXPECT_EQ(clients[1]->status(), 202);
    for (std::size_t i = 2; i < clients.size(); ++i)
        EXPECT_EQ(clients[i]->status(), 503) << i;
    bed.log.release(Error{ErrorCode::unavailable, ""});
    bed.log.release();
    bed.log.release();
    EXPECT_EQ(bed.collector->snapshot().late, 2u);
    EXPECT_EQ(bed.collector->snapshot().failed, 1u);
}

TEST(InFlight, PastTheLimitNewEventsAreRefusedAndOldOnesKept) {
    TestBed bed({.max_batch_events = 3, .max_events_in_flight = 4});
    bed.log.hold();

    auto batch = bed.post_batch(three_clicks);
    auto single = bed.post_event(click);
    auto refused_single = bed.post_event(click);
    auto refused_batch = bed.post_batch(three_clicks);
    auto refused_pixel = bed.get("/api/events/pixel.gif?ad_id=1&campaign_id=1");

    EXPECT_FALSE(batch->answered());
    EXPECT_FALSE(single->answered());
    for (const auto& refused : {refused_single, refused_batch, refused_pixel}) {
        EXPECT_EQ(refused->status(), 503);
        EXPECT_EQ(refused->header("Retry-After"), "1");
    }
    EXPECT_EQ(bed.refused("in_flight_limit"), 3);

    bed.log.release();
    EXPECT_EQ(batch->status(), 202);
    auto room_again = bed.post_event(click);
    bed.log.release();
    bed.log.release();
    EXPECT_EQ(room_again->status(), 202);
    EXPECT_EQ(bed.collector->snapshot().accepted, 5u);
}

TEST(InFlight, ABatchThatDoesNotFitIsRefusedWhole) {
    TestBed bed({.max_batch_events = 3, .max_events_in_flight = 4});
    bed.log.hold();
    auto first = bed.post_event(click);
    auto second = bed.post_event(click);

    auto batch = bed.post_batch(three_clicks);

    EXPECT_EQ(batch->status(), 503);
    EXPECT_EQ(bed.log.waiting(), 2u);
    bed.log.release();
    bed.log.release();
    EXPECT_EQ(bed.collector->snapshot().in_flight, 0u);
}

TEST(Options, ThatMakeNoSenseAreSaidAtStart) {
    EXPECT_THROW(TestBed({.max_batch_events = 10, .max_events_in_flight = 9}), std::runtime_error);
    EXPECT_THROW(TestBed({.click_id_parameter = "c&d"}), std::runtime_error);
    EXPECT_THROW(TestBed({.postback_tokens = {""}}), std::runtime_error);
    EXPECT_THROW(TestBed({.redirect_hosts = {"https://shop.example/"}}), std::runtime_error);
}

TEST(Drain, RefusesNewEventsAndWaitsForThoseInFlight) {
    TestBed bed;
    bed.log.hold();
    bed.collector->start();
    auto early = bed.post_event(click);
    bool drained = false;
    std::thread stopper(
        [&] { drained = bed.collector->drain(Deadline::after(Milliseconds{30'000})); });

    // Whether the gate is closed yet shows in the answers; what came before it is released.
    TestBed::Client late;
    do {
        late = bed.post_event(click);
        std::this_thread::yield();
    } while (!late->answered());
    EXPECT_EQ(late->status(), 503);
    EXPECT_EQ(bed.refused("stopping"), 1);
    EXPECT_FALSE(early->answered());
    while (bed.log.waiting() > 0)
        bed.log.release();

    stopper.join();
    EXPECT_TRUE(drained);
    EXPECT_EQ(early->status(), 202);
    EXPECT_EQ(bed.store.stored().at("realtime:click:1705327402"),
              bed.collector->snapshot().accepted)
        << "the last flush";
}

TEST(Drain, GivesUpAtItsDeadlineAndTheLogAnswersTheRest) {
    TestBed bed;
    bed.log.hold();
    auto client = bed.post_event(click);

    EXPECT_FALSE(bed.collector->drain(Deadline::after(Milliseconds{0})));
    EXPECT_FALSE(client->answered());
    bed.log.release(Error{ErrorCode::unavailable, "closing"});
    EXPECT_EQ(client->status(), 503);
}

TEST(Threads, ManyClientsOneCompletionThreadEveryAnswerCounted) {
    constexpr int clients_each = 400;
    TestBed bed;
    bed.log.hold();
    std::atomic<bool> senders_done{false};
    std::thread completer([&] {
        while (!senders_done.load() || bed.log.waiting() > 0) {
            if (bed.log.waiting() > 0)
                bed.log.release();
            else
                std::this_thread::yield();
        }
    });
    std::thread sweeper([&] {
        while (!senders_done.load())
            bed.collector->sweep();
    });
    std::vector<std::thread> senders;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 3; ++t) {
        senders.emplace_back([&] {
            for (int i = 0; i < clients_each; ++i) {
                auto client = bed.post_event(R"({"type":"impression","ad_id":1,"campaign_id":1})");
                if (!client->wait(Deadline::after(Milliseconds{30'000})) || client->status() != 202)
                    ++wrong;
            }
        });
    }
    for (std::thread& sender : senders)
        sender.join();
    senders_done = true;
    completer.join();
    sweeper.join();

    EXPECT_EQ(wrong.load(), 0);
    CollectorBooks books = bed.collector->snapshot();
    EXPECT_EQ(books.accepted, 3u * clients_each);
    EXPECT_EQ(books.appended, books.accepted + books.late);
    std::vector<std::string> stored = bed.stored();
    std::sort(stored.begin(), stored.end());
    EXPECT_EQ(std::unique(stored.begin(), stored.end()), stored.end()) << "an id was given twice";
}

TEST(Health, IsTheEventLogs) {
    observability::HealthRegistry registry;
    registry.set_accepting(true);
    TestBed bed;
    bed.collector->add_health(registry);

    EXPECT_EQ(registry.readiness().http_status, 200);
    bed.log.set_health({.up = false, .reason = "no space left on the device"});

    EXPECT_EQ(registry.readiness().http_status, 503);
    EXPECT_EQ(registry.liveness().http_status, 200);
    EXPECT_THAT(registry.component("eventLog").body, HasSubstr("no space left on the device"));
    bed.collector.reset();
    EXPECT_EQ(registry.readiness().http_status, 200) << "gone with the collector";
}

TEST(Metrics, HaveTheirNames) {
    TestBed bed;
    bed.post_event(click);
    bed.post_batch(three_clicks);

    std::string text = bed.metrics.prometheus_text();

    for (const char* name :
         {"adtally_collector_events_accepted_total", "adtally_collector_events_appended_total",
          "adtally_collector_events_late_total", "adtally_collector_events_failed_total",
          "adtally_collector_events_rejected_total", "adtally_collector_requests_refused_total",
          "adtally_collector_clicks_unacknowledged_total", "adtally_collector_batches_total",
          "adtally_collector_batch_events_total", "adtally_collector_events_in_flight",
          "adtally_collector_realtime_dropped_total",
          "adtally_collector_realtime_flush_failures_total"})
        EXPECT_THAT(text, HasSubstr(name));
}

}  // namespace
}  // namespace adtally::collector
