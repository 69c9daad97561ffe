// The pixel, the click and the postback as traces.
#include <gmock/gmock.h>

#include "pipeline/collector/test_support.hpp"

namespace adtally::collector {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::SizeIs;

const HeaderTexts prefetch{{"Sec-Purpose", "prefetch;prerender"}};
const HeaderTexts old_prefetch{{"Purpose", "prefetch"}};

TEST(Pixel, IsAnImpressionAnsweredWithTheGif) {
    TestBed bed;
    bed.log.hold();

    auto client = bed.get(
        "/api/events/pixel.gif?ad_id=5&campaign_id=2&publisher_id=9&event_id=p-1"
        "&page_url=https%3A%2F%2Fexample.org%2Fa+b&attributes.pos=top&cb=8812");
    EXPECT_FALSE(client->answered());
    bed.log.release();

    EXPECT_EQ(client->status(), 200);
    EXPECT_EQ(client->response().content_type, "image/gif");
    EXPECT_EQ(client->body(),
              std::string("GIF89a\x01\0\x01\0\xf0\0\0\xff\xff\xff\0\0\0!\xf9\x04\x05"
                          "\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02"
                          "D\x01\0;",
                          43));
    EXPECT_EQ(client->header("Cache-Control"), "no-store");
    EXPECT_EQ(client->header("Cross-Origin-Resource-Policy"), "cross-origin");
    EXPECT_EQ(client->header("Timing-Allow-Origin"), "*");
    EXPECT_EQ(bed.stored()[0],
              R"({"event_id":"p-1","type":"impression","ad_id":5,"campaign_id":2,)"
              R"("publisher_id":9,"timestamp":"2024-01-15T14:03:22.123Z","currency":"USD",)"
              R"("page_url":"https://example.org/a b","ip":"203.0.113.9",)"
              R"("attributes":{"pos":"top"},)"
              R"("received_at":"2024-01-15T14:03:22.123Z","schema":1})");
}

TEST(Pixel, NobodySeesAPrefetchOrAHead) {
    TestBed bed;
    const std::string target = "/api/events/pixel.gif?ad_id=5&campaign_id=2";

    auto head = bed.send(http::Method::head, target);
    auto fetched = bed.get(target, prefetch);
    auto fetched_too = bed.get(target, old_prefetch);

    for (const auto& client : {head, fetched, fetched_too}) {
        EXPECT_EQ(client->status(), 200);
        EXPECT_EQ(client->response().content_type, "image/gif");
    }
    EXPECT_TRUE(bed.stored().empty());
}

TEST(Pixel, TellsADeveloperWhatIsWrong) {
    struct Row {
        const char* query;
        const char* code;
    };
    for (const Row& row : {
             Row{"campaign_id=2", "missing_field"},
             Row{"ad_id=x&campaign_id=2", "invalid_value"},
             Row{"ad_id=1&campaign_id=2&type=click", "invalid_value"},
             Row{"ad_id=1&ad_id=2&campaign_id=2", "duplicate_field"},
             Row{"ad_id=1&campaign_id=2&color=red", "unknown_field"},
             Row{"ad_id=1&campaign_id=2&user_id=%zz", "malformed_query"},
             Row{"ad_id=1&campaign_id=2&user_id=%ff", "invalid_value"},
         }) {
        TestBed bed;
        auto client = bed.get("/api/events/pixel.gif?" + std::string(row.query));
        EXPECT_EQ(client->status(), 400) << row.query;
        EXPECT_THAT(client->body(), HasSubstr("\"code\":\"" + std::string(row.code) + "\""));
        EXPECT_EQ(bed.rejected(row.code), 1) << row.query;
        EXPECT_TRUE(bed.stored().empty());
        EXPECT_EQ(bed.collector->snapshot().in_flight, 0u);
    }
}

TEST(Pixel, BoundsTheNumberOfParameters) {
    std::string query = "ad_id=1&campaign_id=2";
    for (int i = 0; i < 70; ++i)
        query += "&a" + std::to_string(i) + "=1";
    TestBed bed({.unknown_fields = domain::UnknownFields::keep});

    auto client = bed.get("/api/events/pixel.gif?" + query);

    EXPECT_EQ(client->status(), 400);
    EXPECT_THAT(client->body(), HasSubstr("more than 64 parameters"));
}

TEST(Pixel, KeepsUnknownParametersWhenAsked) {
    TestBed bed({.unknown_fields = domain::UnknownFields::keep});

    auto client = bed.get("/api/events/pixel.gif?ad_id=1&campaign_id=2&color=red&ord=5");

    EXPECT_EQ(client->status(), 200);
    EXPECT_THAT(bed.stored()[0], HasSubstr(R"("attributes":{"color":"red"})"));
}

TEST(Pixel, IsNoPixelWhenTheEventIsNotDurable) {
    TestBed bed;
    bed.log.complete_with(Error{ErrorCode::unavailable, ""});

    EXPECT_EQ(bed.get("/api/events/pixel.gif?ad_id=1&campaign_id=2")->status(), 503);
}

const CollectorOptions shop{.redirect_hosts = {"shop.example"}};
constexpr const char* to_shop =
    "/api/events/click?ad_id=1&campaign_id=2&event_id=k-1"
    "&to=https%3A%2F%2Fshop.example%2Fp%3Fsku%3D5%26a%3D%2522%23top";

TEST(Click, IsCountedAndLeadsToTheTarget) {
    TestBed bed(shop);
    bed.log.hold();

    auto client = bed.get(to_shop);
    EXPECT_FALSE(client->answered());
    bed.log.release();

    EXPECT_EQ(client->status(), 302);
    EXPECT_EQ(client->header("Location"), "https://shop.example/p?sku=5&a=%22&cid=k-1#top");
    EXPECT_EQ(client->header("Cache-Control"), "no-store");
    EXPECT_EQ(client->header("Referrer-Policy"), "no-referrer-when-downgrade");
    EXPECT_THAT(client->body(),
                HasSubstr(R"(href="https://shop.example/p?sku=5&amp;a=%22&amp;cid=k-1#top")"));
    EXPECT_THAT(bed.stored()[0], HasSubstr(R"("event_id":"k-1","type":"click","ad_id":1)"));
    EXPECT_EQ(bed.collector->snapshot().accepted, 1u);
}

TEST(Click, ARefusedTargetIsNeitherFollowedNorCounted) {
    for (const char* to : {"https%3A%2F%2Fevil.example%2F", "%2F%2Fshop.example",
                           "javascript%3Aalert(1)", "https%3A%2F%2Fshop.example%40evil.example"}) {
        TestBed bed(shop);
        auto client = bed.get("/api/events/click?ad_id=1&campaign_id=2&to=" + std::string(to));
        EXPECT_EQ(client->status(), 400) << to;
        EXPECT_EQ(client->header("Location"), "");
        EXPECT_THAT(client->body(), HasSubstr(R"("code":"target_refused")"));
        EXPECT_EQ(bed.rejected("target_refused"), 1);
        EXPECT_TRUE(bed.stored().empty());
    }
}

TEST(Click, NeedsATargetAndAnEvent) {
    TestBed bed(shop);

    auto no_target = bed.get("/api/events/click?ad_id=1&campaign_id=2");
    auto no_campaign = bed.get("/api/events/click?ad_id=1&to=https://shop.example/");
    auto two_targets = bed.get(
        "/api/events/click?ad_id=1&campaign_id=2&to=https://shop.example/&to=https://"
        "evil.example/");

    EXPECT_THAT(no_target->body(), HasSubstr(R"("code":"missing_target")"));
    EXPECT_THAT(no_campaign->body(), HasSubstr(R"("code":"missing_field")"));
    EXPECT_THAT(two_targets->body(), HasSubstr(R"("code":"duplicate_field")"));
    EXPECT_TRUE(bed.stored().empty());
}

TEST(Click, FollowsASignedTarget) {
    TestBed bed({.click_secret = "s3cret"});
    const std::int64_t exp = test_second + 60;
    const std::string to = "https://any.example/x";
    const std::string sig = sign_click_target("s3cret", to, domain::AdId{1}, exp);
    const std::string link =
        "/api/events/click?campaign_id=2&to=https%3A%2F%2Fany.example%2Fx&exp=" +
        std::to_string(exp) + "&sig=" + sig;

    auto good = bed.get(link + "&ad_id=1&event_id=s-1");
    auto other_ad = bed.get(link + "&ad_id=2");
    bed.clock.advance(Milliseconds{60'000});
    auto expired = bed.get(link + "&ad_id=1");

    EXPECT_EQ(good->status(), 302);
    EXPECT_EQ(good->header("Location"), "https://any.example/x?cid=s-1");
    EXPECT_EQ(other_ad->status(), 400);
    EXPECT_EQ(expired->status(), 400);
    EXPECT_THAT(bed.stored(), SizeIs(1));
}

TEST(Click, LookingDoesNotCount) {
    TestBed bed(shop);

    for (const auto& client : {bed.send(http::Method::head, to_shop), bed.get(to_shop, prefetch),
                               bed.get(to_shop, old_prefetch)}) {
        EXPECT_EQ(client->status(), 302);
        EXPECT_EQ(client->header("Location"), "https://shop.example/p?sku=5&a=%22#top");
    }
    EXPECT_TRUE(bed.stored().empty());
}

TEST(Click, DoesNotKeepAPersonWaiting) {
    TestBed bed(shop);
    bed.log.hold();
    auto client = bed.get(to_shop);

    bed.clock.advance(Milliseconds{49});
    bed.collector->sweep();
    EXPECT_FALSE(client->answered());
    bed.clock.advance(Milliseconds{1});
    bed.collector->sweep();

    EXPECT_EQ(client->status(), 302);
    EXPECT_EQ(bed.unacknowledged("late"), 1);
    bed.log.release();
    CollectorBooks books = bed.collector->snapshot();
    EXPECT_EQ(books.accepted, 0u) << "it was not acknowledged";
    EXPECT_EQ(books.late, 1u) << "but it is counted";
    EXPECT_EQ(books.in_flight, 0u);
}

TEST(Click, TheDeadlineThreadSendsTheRedirectByItself) {
    SystemClock clock;
    TestBed parts;
    parts.log.hold();
    Collector collector({.redirect_hosts = {"shop.example"}}, parts.log, clock, parts.metrics,
                        parts.realtime);
    parts.router = std::make_unique<http::Router>(collector.routes());
    collector.start();

    auto client = parts.get(to_shop);

    EXPECT_TRUE(client->wait(Deadline::after(Milliseconds{30'000})));
    EXPECT_EQ(client->status(), 302);
    parts.log.release();
    EXPECT_TRUE(collector.drain(Deadline::after(Milliseconds{30'000})));
    EXPECT_EQ(collector.snapshot().late, 1u);
}

TEST(Click, ReachesThePageWhenTheClickCannotBeKept) {
    TestBed failing(shop);
    failing.log.complete_with(Error{ErrorCode::storage_full, ""});
    EXPECT_EQ(failing.get(to_shop)->status(), 302);
    EXPECT_EQ(failing.unacknowledged("log_failed"), 1);
    EXPECT_EQ(failing.collector->snapshot().failed, 1u);

    CollectorOptions tiny = shop;
    tiny.max_batch_events = 1;
    tiny.max_events_in_flight = 1;
    TestBed full(tiny);
    full.log.hold();
    full.post_event(R"({"type":"click","ad_id":7,"campaign_id":3})");
    EXPECT_EQ(full.get(to_shop)->status(), 302);
    EXPECT_EQ(full.unacknowledged("in_flight_limit"), 1);
    full.log.release();

    TestBed stopping(shop);
    EXPECT_TRUE(stopping.collector->drain(Deadline::after(Milliseconds{0})));
    EXPECT_EQ(stopping.get(to_shop)->status(), 302);
    EXPECT_EQ(stopping.unacknowledged("stopping"), 1);
}

TEST(Click, AddsNoIdWhenToldNotTo) {
    CollectorOptions options = shop;
    options.click_id_parameter = "";
    TestBed bed(options);

    EXPECT_EQ(bed.get(to_shop)->header("Location"), "https://shop.example/p?sku=5&a=%22#top");
}

TEST(Postback, IsAConversionInTheLanguageOfNetworks) {
    TestBed bed;

    auto client = bed.get(
        "/api/events/postback?ad_id=1&campaign_id=2&click_id=k-1&event=purchase&txid=1001"
        "&value=12.30&currency=EUR&ts=1705327000");

    EXPECT_EQ(client->status(), 200);
    EXPECT_EQ(client->body(), R"({"event_id":"txid:2:purchase:1001","status":"accepted"})");
    EXPECT_EQ(bed.stored()[0],
              R"({"event_id":"txid:2:purchase:1001","type":"conversion","ad_id":1,)"
              R"("campaign_id":2,"timestamp":"2024-01-15T13:56:40.000Z","value_micros":12300000,)"
              R"("currency":"EUR","ip":"203.0.113.9",)"
              R"("attributes":{"click_id":"k-1","event":"purchase"},)"
              R"("received_at":"2024-01-15T14:03:22.123Z","schema":1})");
}

TEST(Postback, ARepeatedTransactionHasTheSameId) {
    TestBed bed;
    const std::string target = "/api/events/postback?ad_id=1&campaign_id=2&order_id=";

    auto first = bed.get(target + "1001");
    auto again = bed.get(target + "1001");
    auto other = bed.get(target + "1002");

    EXPECT_EQ(first->status(), 200);
    EXPECT_EQ(again->status(), 200);
    EXPECT_EQ(first->body(), again->body());
    EXPECT_NE(first->body(), other->body());
}

TEST(Postback, IsReadFromAFormAsWell) {
    TestBed bed;

    auto client = bed.post("/api/events/postback?ad_id=1", "campaign_id=2&payout=0.000001",
                           {{"Content-Type", "application/x-www-form-urlencoded"}});
    auto empty = bed.post("/api/events/postback?ad_id=1&campaign_id=2", "");
    auto json = bed.post("/api/events/postback", "{}", {{"Content-Type", "application/json"}});
    auto twice = bed.post("/api/events/postback?ad_id=1", "ad_id=1&campaign_id=2",
                          {{"Content-Type", "application/x-www-form-urlencoded"}});

    EXPECT_EQ(client->status(), 200);
    EXPECT_THAT(bed.stored()[0], HasSubstr(R"("value_micros":1,)"));
    EXPECT_EQ(empty->status(), 200);
    EXPECT_EQ(json->status(), 415);
    EXPECT_EQ(twice->status(), 400);
}

TEST(Postback, NeedsATokenWhereOneIsConfigured) {
    TestBed bed({.postback_tokens = {"alpha", "beta"}});
    const std::string target = "/api/events/postback?ad_id=1&campaign_id=2";

    EXPECT_EQ(bed.get(target + "&token=beta")->status(), 200);
    EXPECT_EQ(bed.get(target, {{"Authorization", "Bearer alpha"}})->status(), 200);
    auto without = bed.get(target);
    EXPECT_EQ(without->status(), 401);
    EXPECT_EQ(without->header("WWW-Authenticate"), "Bearer");
    EXPECT_EQ(bed.get(target + "&token=")->status(), 401);
    EXPECT_EQ(bed.get(target + "&token=alph")->status(), 401);
    EXPECT_EQ(bed.get(target + "&token=alpha", {{"Authorization", "Bearer x"}})->status(), 401);
    EXPECT_EQ(bed.refused("unauthorized"), 4);
    EXPECT_THAT(bed.stored(), SizeIs(2));
    EXPECT_THAT(bed.stored()[0], testing::Not(HasSubstr("beta"))) << "a token is not stored";
}

TEST(Postback, HeadDoesNotCount) {
    TestBed bed;

    auto client =
        bed.send(http::Method::head, "/api/events/postback?ad_id=1&campaign_id=2&value=1");

    EXPECT_EQ(client->status(), 200);
    EXPECT_TRUE(bed.stored().empty());
}

TEST(Postback, TellsWhatIsWrong) {
    TestBed bed;
    const std::string target = "/api/events/postback?ad_id=1&campaign_id=2";

    EXPECT_THAT(bed.get(target + "&value=12,30")->body(), HasSubstr(R"("pointer":"/value")"));
    EXPECT_THAT(bed.get(target + "&amount=1&payout=1")->body(), HasSubstr("duplicate_field"));
    EXPECT_THAT(bed.get(target + "&txid=1&order_id=2")->body(), HasSubstr("duplicate_field"));
    EXPECT_THAT(bed.get(target + "&txid=")->body(), HasSubstr("invalid_value"));
    EXPECT_THAT(bed.get(target + "&ts=yesterday")->body(), HasSubstr(R"("pointer":"/timestamp")"));
    EXPECT_TRUE(bed.stored().empty());
    EXPECT_EQ(bed.collector->snapshot().in_flight, 0u);
}

}  // namespace
}  // namespace adtally::collector
