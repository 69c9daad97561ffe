// Addresses, preflights and CORS headers.
#include <gmock/gmock.h>

#include "pipeline/collector/test_support.hpp"

namespace adtally::collector {
namespace {

http::Response decorated(TestBed& bed, const TestBed::Client& client) {
    http::Response response = client->response();
    bed.collector->decorate(client->request, response);
    return response;
}

std::string header(const http::Response& response, std::string_view name) {
    std::string found;
    for (const auto& [key, value] : response.headers) {
        if (key == name)
            found += found.empty() ? value : "; twice: " + value;
    }
    return found;
}

TEST(Routes, AreTheseAndNoOthers) {
    TestBed bed;
    std::vector<std::string> list;
    for (const http::Route& route : bed.router->routes()) {
        list.push_back(std::string(to_string(route.method)) + " " + route.path);
        EXPECT_FALSE(route.what.empty());
    }
    EXPECT_THAT(list, testing::UnorderedElementsAre(
                          "POST /api/events", "POST /api/events/batch", "GET /api/events/pixel.gif",
                          "GET /api/events/click", "GET /api/events/postback",
                          "POST /api/events/postback", "OPTIONS /api/events",
                          "OPTIONS /api/events/batch", "OPTIONS /api/events/pixel.gif",
                          "OPTIONS /api/events/click", "OPTIONS /api/events/postback"));
}

TEST(Cors, APreflightSaysWhatIsAllowed) {
    TestBed bed;

    auto client =
        bed.send(http::Method::options, "/api/events/batch",
                 {{"Origin", "https://news.example"}, {"Access-Control-Request-Method", "POST"}});
    http::Response response = decorated(bed, client);

    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "https://news.example");
    EXPECT_EQ(header(response, "Access-Control-Allow-Credentials"), "true");
    EXPECT_EQ(header(response, "Access-Control-Allow-Methods"), "POST, OPTIONS");
    EXPECT_EQ(header(response, "Access-Control-Allow-Headers"), "content-type, traceparent");
    EXPECT_EQ(header(response, "Access-Control-Max-Age"), "3600");
    EXPECT_EQ(header(response, "Vary"), "Origin");
}

TEST(Cors, EveryAnswerNamesItsOriginAlsoAnError) {
    TestBed bed;
    auto client = bed.post("/api/events", "nonsense", {{"Origin", "https://news.example"}});

    http::Response response = decorated(bed, client);

    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "https://news.example");
    EXPECT_EQ(header(response, "Vary"), "Origin");
}

TEST(Cors, OnlyListedOriginsAreEchoedWhenThereIsAList) {
    TestBed bed({.cors_origins = {"https://news.example"}});
    const char* event = R"({"type":"click","ad_id":7,"campaign_id":3})";

    auto listed = bed.post("/api/events", event, {{"Origin", "https://news.example"}});
    auto other = bed.post("/api/events", event, {{"Origin", "https://evil.example"}});
    auto none = bed.post("/api/events", event);

    EXPECT_EQ(header(decorated(bed, listed), "Access-Control-Allow-Origin"),
              "https://news.example");
    EXPECT_EQ(header(decorated(bed, other), "Access-Control-Allow-Origin"), "");
    EXPECT_EQ(header(decorated(bed, none), "Access-Control-Allow-Origin"), "");
}

TEST(Cors, LeavesOtherAddressesAlone) {
    TestBed bed;
    for (const char* path : {"/actuator/health", "/api/eventsource", "/"}) {
        auto client = bed.send(http::Method::get, path, {{"Origin", "https://news.example"}});
        EXPECT_EQ(header(decorated(bed, client), "Access-Control-Allow-Origin"), "") << path;
    }
}

}  // namespace
}  // namespace adtally::collector
