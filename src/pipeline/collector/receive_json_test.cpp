// One event and many as JSON: what is stored, what is answered, and when.
#include <gmock/gmock.h>

#include "pipeline/collector/test_support.hpp"

namespace adtally::collector {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* click = R"({"event_id":"c-1","type":"click","ad_id":7,"campaign_id":3})";

std::string repeat(const std::string& event, std::size_t times) {
    std::string batch = "[";
    for (std::size_t i = 0; i < times; ++i)
        batch += (i == 0 ? "" : ",") + event;
    return batch + "]";
}

TEST(PostEvent, IsCompletedAndStoredInCanonicalForm) {
    TestBed bed;

    auto client = bed.post("/api/events", click,
                           {{"Content-Type", "application/json"}, {"User-Agent", "curl/8"}});

    EXPECT_EQ(client->status(), 202);
    EXPECT_EQ(client->body(), R"({"event_id":"c-1"})");
    ASSERT_THAT(bed.log.appended(), SizeIs(1));
    EXPECT_EQ(bed.log.appended()[0].topic, "ad-events");
    EXPECT_EQ(bed.log.appended()[0].batch[0].key, "7");
    EXPECT_EQ(bed.stored()[0], R"({"event_id":"c-1","type":"click","ad_id":7,"campaign_id":3,)"
                               R"("timestamp":"2024-01-15T14:03:22.123Z","currency":"USD",)"
                               R"("user_agent":"curl/8","ip":"203.0.113.9",)"
                               R"("received_at":"2024-01-15T14:03:22.123Z","schema":1})");
    EXPECT_TRUE(bed.log.appended()[0].batch.headers().empty());
}

TEST(PostEvent, KeepsWhatTheClientSaysOverWhatTheRequestSays) {
    TestBed bed;

    bed.post("/api/events",
             R"({"event_id":"i-1","type":"impression","ad_id":"1","campaign_id":1,)"
             R"("timestamp":"2024-01-15T14:00:00+02:00","user_agent":"app/2","ip":"192.0.2.1"})",
             {{"User-Agent", "proxy"}});

    EXPECT_THAT(bed.stored()[0], HasSubstr(R"("timestamp":"2024-01-15T12:00:00.000Z")"));
    EXPECT_THAT(bed.stored()[0], HasSubstr(R"("user_agent":"app/2","ip":"192.0.2.1")"));
}

TEST(PostEvent, IsGivenAnIdThatIsReturned) {
    TestBed bed;

    auto first = bed.post_event(R"({"type":"click","ad_id":7,"campaign_id":3})");
    auto second = bed.post_event(R"({"type":"click","ad_id":7,"campaign_id":3})");

    EXPECT_THAT(first->body(),
                testing::MatchesRegex(R"(\{"event_id":"018d0d6f-1c8b-7[-0-9a-f]{21}"\})"));
    EXPECT_NE(first->body(), second->body());
    std::string id = first->body().substr(13, 36);
    EXPECT_THAT(bed.stored()[0], HasSubstr("\"event_id\":\"" + id + "\""));
}

TEST(PostEvent, IsAnsweredOnlyWhenTheLogSaysDurable) {
    TestBed bed;
    bed.log.hold();

    auto client = bed.post_event(click);
    EXPECT_FALSE(client->answered());
    EXPECT_EQ(bed.collector->snapshot().in_flight, 1u);
    EXPECT_EQ(bed.collector->snapshot().accepted, 0u);

    bed.log.release();
    EXPECT_EQ(client->status(), 202);
    CollectorBooks books = bed.collector->snapshot();
    EXPECT_EQ(books.in_flight, 0u);
    EXPECT_EQ(books.accepted, 1u);
    EXPECT_EQ(books.appended, 1u);
}

TEST(PostEvent, PassesTheClientsTraceOn) {
    TestBed bed;

    bed.post("/api/events", click,
             {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"}});

    auto headers = bed.log.appended()[0].batch.headers();
    ASSERT_THAT(headers, SizeIs(1));
    EXPECT_EQ(headers[0].name, "traceparent");
    EXPECT_EQ(headers[0].value, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

TEST(PostEvent, TakesTheContentTypesOfBeacons) {
    for (const char* type : {"application/json", "Application/JSON; charset=utf-8",
                             "text/plain;charset=UTF-8", "text/plain"}) {
        TestBed bed;
        EXPECT_EQ(bed.post("/api/events", click, {{"Content-Type", type}})->status(), 202) << type;
    }
    TestBed bed;
    EXPECT_EQ(bed.post("/api/events", click)->status(), 202) << "no type";
}

TEST(PostEvent, RefusesOtherContentTypesAndSaysWhichItTakes) {
    for (const char* type : {"application/x-www-form-urlencoded", "multipart/form-data",
                             "application/cloudevents+json", "application/x-ndjson"}) {
        TestBed bed;
        auto client = bed.post("/api/events", click, {{"Content-Type", type}});
        EXPECT_EQ(client->status(), 415) << type;
        EXPECT_EQ(client->header("Accept-Post"), "application/json, text/plain");
        EXPECT_EQ(bed.refused("unsupported_media_type"), 1);
        EXPECT_TRUE(bed.stored().empty());
    }
}

TEST(PostEvent, NamesTheFieldThatIsWrong) {
    struct Row {
        const char* body;
        const char* code;
        const char* pointer;  // empty: the whole is malformed
    };
    for (const Row& row : {
             Row{R"({"type":"click","ad_id":1})", "missing_field", "/campaign_id"},
             Row{R"({"ad_id":1,"campaign_id":1})", "missing_field", "/type"},
             Row{R"({"type":"click","ad_id":0,"campaign_id":1})", "out_of_range", "/ad_id"},
             Row{R"({"type":"click","ad_id":1.5,"campaign_id":1})", "wrong_type", "/ad_id"},
             Row{R"({"type":"view","ad_id":1,"campaign_id":1})", "invalid_value", "/type"},
             Row{R"({"type":"click","ad_id":1,"campaign_id":1,"x":2})", "unknown_field", "/x"},
             Row{R"({"type":"click","ad_id":1,"ad_id":1,"campaign_id":1})", "duplicate_field",
                 "/ad_id"},
             Row{R"({"type":"click","ad_id":1,"campaign_id":1,"timestamp":1705328000000})",
                 "future_timestamp", "/timestamp"},
             Row{R"({"type":"click",)", "malformed_json", ""},
             Row{"", "malformed_json", ""},
         }) {
        TestBed bed;
        auto client = bed.post_event(row.body);
        EXPECT_EQ(client->status(), 400) << row.body;
        EXPECT_EQ(client->response().content_type, "application/problem+json");
        EXPECT_THAT(client->body(), HasSubstr("\"code\":\"" + std::string(row.code) + "\""))
            << row.body;
        if (*row.pointer != '\0') {
            EXPECT_THAT(client->body(),
                        HasSubstr("\"pointer\":\"" + std::string(row.pointer) + "\""));
        } else {
            EXPECT_THAT(client->body(), Not(HasSubstr("pointer")));
        }
        EXPECT_EQ(bed.rejected(row.code), 1) << row.body;
        EXPECT_EQ(bed.collector->snapshot().in_flight, 0u);
        EXPECT_TRUE(bed.stored().empty());
    }
}

TEST(PostEvent, KeepsUnknownFieldsWhenAsked) {
    TestBed bed({.unknown_fields = domain::UnknownFields::keep});

    auto client = bed.post_event(R"({"type":"click","ad_id":1,"campaign_id":1,"placement":"top"})");

    EXPECT_EQ(client->status(), 202);
    EXPECT_THAT(bed.stored()[0], HasSubstr(R"("attributes":{"placement":"top"})"));
}

TEST(PostEvent, CleansAUserAgentThatIsNotTheClientsField) {
    TestBed bed;

    bed.post("/api/events", click, {{"User-Agent", std::string(1023, 'a') + "\xC3\xA4z"}});
    bed.post("/api/events", click, {{"User-Agent", "bad\x01\xFF agent"}});

    EXPECT_THAT(bed.stored()[0], HasSubstr("\"" + std::string(1023, 'a') + "\""));
    EXPECT_THAT(bed.stored()[1], HasSubstr(R"("user_agent":"bad?? agent")"));
}

TEST(PostEvent, AnEventLargerThanTheLogTakesIsRefusedAtTheDoor) {
    TestBed bed({}, 300);

    auto large = bed.post_event(R"({"type":"click","ad_id":1,"campaign_id":1,"page_url":")" +
                                std::string(300, 'x') + "\"}");
    auto small = bed.post_event(click);

    EXPECT_EQ(large->status(), 413);
    EXPECT_EQ(bed.rejected("event_too_large"), 1);
    EXPECT_EQ(small->status(), 202);
    EXPECT_THAT(bed.stored(), SizeIs(1));
}

TEST(PostBatch, TakesWhatIsValidAndTellsTheRest) {
    TestBed bed;

    auto client =
        bed.post_batch(R"([{"event_id":"a","type":"impression","ad_id":1,"campaign_id":1},)"
                       R"({"event_id":"b","type":"click","ad_id":0,"campaign_id":1},17,)"
                       R"({"event_id":"c","type":"conversion","ad_id":2,"campaign_id":1}])");

    EXPECT_EQ(client->status(), 202);
    EXPECT_THAT(client->body(),
                StartsWith(R"({"accepted":2,"rejected":[{"index":1,"code":"out_of_range",)"
                           R"("field":"ad_id","message":")"));
    EXPECT_THAT(client->body(), HasSubstr(R"({"index":2,"code":"wrong_type","message":")"));
    EXPECT_THAT(client->body(), testing::EndsWith(R"("event_ids":["a","c"]})"));
    ASSERT_THAT(bed.log.appended(), SizeIs(1)) << "one append for the whole batch";
    EXPECT_EQ(bed.log.appended()[0].batch[1].key, "2");
    CollectorBooks books = bed.collector->snapshot();
    EXPECT_EQ(books.accepted, 2u);
    EXPECT_EQ(books.rejected, 2u);
    EXPECT_EQ(books.in_flight, 0u);
}

TEST(PostBatch, TakesLinesUnderTheirOwnTypeAndUnderOthers) {
    const std::string lines = std::string(click) + "\n\n" +
                              R"({"event_id":"c-2","type":"click","ad_id":8,"campaign_id":3})" +
                              "\r\nnonsense\n";
    for (const char* type : {"application/x-ndjson", "application/json", "text/plain"}) {
        TestBed bed;
        auto client = bed.post("/api/events/batch", lines, {{"Content-Type", type}});
        EXPECT_EQ(client->status(), 202) << type;
        EXPECT_THAT(client->body(), HasSubstr(R"("event_ids":["c-1","c-2"])"));
        EXPECT_THAT(client->body(), HasSubstr(R"("rejected":[{"index":2,)"));
    }
    TestBed bed;
    EXPECT_EQ(bed.post("/api/events/batch", lines, {{"Content-Type", "text/csv"}})->status(), 415);
}

TEST(PostBatch, TakesWhatStandsBeforeABreak) {
    TestBed bed;

    auto client = bed.post_batch("[" + std::string(click) + R"(,{"type":"click" 5}])");

    EXPECT_EQ(client->status(), 202);
    EXPECT_THAT(client->body(), StartsWith(R"({"accepted":1,"rejected":[{"index":1,)"
                                           R"("code":"malformed_json",)"));
    EXPECT_THAT(bed.stored(), SizeIs(1));
}

TEST(PostBatch, IsRefusedOnlyWhenNothingInItIsValid) {
    struct Row {
        const char* body;
        const char* code;
    };
    for (const Row& row :
         {Row{"[]", "empty_batch"}, Row{"", "malformed_json"}, Row{"[1]", "wrong_type"},
          Row{"[", "malformed_json"}, Row{R"([{"type":"click"}])", "missing_field"}}) {
        TestBed bed;
        auto client = bed.post_batch(row.body);
        EXPECT_EQ(client->status(), 400) << row.body;
        EXPECT_THAT(client->body(), HasSubstr(R"("code":"no_valid_event")")) << row.body;
        EXPECT_THAT(client->body(), HasSubstr(R"("accepted":0,"rejected":[{"index":0,"code":")" +
                                              std::string(row.code)))
            << row.body;
        EXPECT_EQ(client->body().back(), '}');
        EXPECT_EQ(bed.rejected(row.code), 1);
    }
}

TEST(PostBatch, AboveItsLimitsNothingIsTaken) {
    TestBed bed;
    const std::string event = R"({"type":"click","ad_id":1,"campaign_id":1})";

    auto full = bed.post_batch(repeat(event, 5'000));
    auto over = bed.post_batch(repeat(event, 5'001));
    auto far_over = bed.post_batch(repeat(event, 6'000));
    auto large = bed.post_batch(std::string((4u << 20) + 1, ' '));

    EXPECT_EQ(full->status(), 202);
    EXPECT_THAT(full->body(), StartsWith(R"({"accepted":5000,"rejected":[],)"));
    EXPECT_EQ(over->status(), 413);
    EXPECT_THAT(over->body(), HasSubstr("at most 5000 events"));
    EXPECT_EQ(far_over->status(), 413);
    EXPECT_EQ(large->status(), 413);
    EXPECT_THAT(bed.stored(), SizeIs(5'000));
    EXPECT_EQ(bed.collector->snapshot().in_flight, 0u);
}

TEST(PostBatch, IsAcknowledgedWholeOrNotAtAll) {
    TestBed bed;
    bed.log.hold();

    auto client = bed.post_batch(repeat(click, 3));
    EXPECT_FALSE(client->answered());
    EXPECT_EQ(bed.collector->snapshot().in_flight, 3u);
    bed.log.release(Error{ErrorCode::unavailable, "no leader"});

    EXPECT_EQ(client->status(), 503);
    EXPECT_THAT(client->body(), Not(HasSubstr("accepted\"")));
    CollectorBooks books = bed.collector->snapshot();
    EXPECT_EQ(books.accepted, 0u);
    EXPECT_EQ(books.failed, 3u);
    EXPECT_EQ(books.in_flight, 0u);
}

TEST(PostBatch, AnEventLargerThanTheLogTakesDoesNotSpoilTheOthers) {
    TestBed bed({}, 300);

    auto client = bed.post_batch("[" + std::string(click) +
                                 R"(,{"type":"click","ad_id":1,"campaign_id":1,"page_url":")" +
                                 std::string(300, 'x') + "\"}]");

    EXPECT_EQ(client->status(), 202);
    EXPECT_THAT(client->body(), HasSubstr(R"("rejected":[{"index":1,"code":"event_too_large")"));
    EXPECT_THAT(client->body(), HasSubstr(R"("event_ids":["c-1"])"));
}

}  // namespace
}  // namespace adtally::collector
