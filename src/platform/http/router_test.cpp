#include "platform/http/router.hpp"

#include <gtest/gtest.h>

namespace adtally::http {

namespace {

Route route(Method method, std::string path) {
    return {method, std::move(path), "", [](const Request&, Responder) {}};
}

Router ads_router() {
    std::vector<Route> routes;
    routes.push_back(route(Method::post, "/api/events"));
    routes.push_back(route(Method::post, "/api/events/batch"));
    routes.push_back(route(Method::get, "/api/ads/{id}"));
    routes.push_back(route(Method::delete_, "/api/ads/{id}"));
    routes.push_back(route(Method::get, "/api/ads/top"));
    routes.push_back(route(Method::get, "/api/ads/{id}/hourly"));
    routes.push_back(route(Method::get, "/api/{kind}/x/y"));
    routes.push_back(route(Method::get, "/files/{*rest}"));
    routes.push_back(route(Method::get, "/"));
    return Router(std::move(routes));
}

struct RouterTest : ::testing::Test {
    Router router = ads_router();
    Router::Match match;

    std::string path_of(Method method, std::string_view path) {
        router.match(method, path, match);
        return match.route == nullptr ? "" : match.route->path;
    }
};

TEST_F(RouterTest, FindsFixedPaths) {
    EXPECT_EQ(path_of(Method::post, "/api/events"), "/api/events");
    EXPECT_EQ(path_of(Method::post, "/api/events/batch"), "/api/events/batch");
    EXPECT_EQ(path_of(Method::get, "/"), "/");
    EXPECT_EQ(path_of(Method::post, "/api/events/"), "");
    EXPECT_EQ(path_of(Method::post, "/api"), "");
    EXPECT_EQ(path_of(Method::post, ""), "");
    EXPECT_EQ(path_of(Method::post, "*"), "");
}

TEST_F(RouterTest, PrefersALiteralToAPlaceholder) {
    EXPECT_EQ(path_of(Method::get, "/api/ads/top"), "/api/ads/top");
    EXPECT_EQ(path_of(Method::get, "/api/ads/7"), "/api/ads/{id}");
    EXPECT_EQ(match.parameters, std::vector<std::string>{"7"});
    EXPECT_EQ(path_of(Method::delete_, "/api/ads/top"), "/api/ads/{id}") << "by method";
}

TEST_F(RouterTest, StepsBackFromADeadEnd) {
    EXPECT_EQ(path_of(Method::get, "/api/ads/x/y"), "/api/{kind}/x/y");
    EXPECT_EQ(match.parameters, std::vector<std::string>{"ads"});
}

TEST_F(RouterTest, DecodesOnePlaceholderAsOneSegment) {
    EXPECT_EQ(path_of(Method::get, "/api/ads/a%2Fb%20c"), "/api/ads/{id}");
    EXPECT_EQ(match.parameters, std::vector<std::string>{"a/b c"});
    EXPECT_EQ(path_of(Method::get, "/api/ads/"), "") << "an empty segment is no id";
    path_of(Method::get, "/api/ads/%zz");
    EXPECT_TRUE(match.bad_escape);
}

TEST_F(RouterTest, GivesTheRestToTheLastPlaceholder) {
    EXPECT_EQ(path_of(Method::get, "/files/a/b%20c/d"), "/files/{*rest}");
    EXPECT_EQ(match.parameters, std::vector<std::string>{"a/b c/d"});
    EXPECT_EQ(path_of(Method::get, "/files"), "");
}

TEST_F(RouterTest, SaysWhichMethodsAreAllowed) {
    EXPECT_EQ(path_of(Method::get, "/api/events"), "");
    EXPECT_EQ(match.allow, "POST");
    EXPECT_EQ(path_of(Method::post, "/api/ads/7"), "");
    EXPECT_EQ(match.allow, "GET, HEAD, DELETE");
    EXPECT_EQ(path_of(Method::get, "/nowhere"), "");
    EXPECT_EQ(match.allow, "");
}

TEST_F(RouterTest, AnswersHeadWithTheGetRoute) {
    EXPECT_EQ(path_of(Method::head, "/api/ads/7"), "/api/ads/{id}");
    EXPECT_EQ(path_of(Method::head, "/api/events"), "");
}

TEST(RouterDeathTest, RefusesTwoRoutesWithTheSameMethodAndShape) {
    auto build = [](const char* first, const char* second) {
        std::vector<Route> routes;
        routes.push_back(route(Method::get, first));
        routes.push_back(route(Method::get, second));
        Router router(std::move(routes));
    };
    EXPECT_DEATH(build("/a", "/a"), "same method and path");
    EXPECT_DEATH(build("/a/{x}", "/a/{y}"), "same method and path");
}

}  // namespace

}  // namespace adtally::http
