#include "platform/http/actuator.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>

#include "platform/observability/log.hpp"

namespace adtally::http {

namespace {

namespace json = boost::json;
using observability::HealthRegistry;

class Answered final : public ResponseSink {
public:
    explicit Answered(Response& into) : into_(into) {}
    void respond(Response response) override { into_ = std::move(response); }
    std::shared_ptr<BodyStream> stream(Response) override { return nullptr; }

private:
    Response& into_;
};

struct ActuatorTest : ::testing::Test {
    HealthRegistry health;
    observability::MetricRegistry metrics{"data-collector"};
    std::vector<HeaderField> headers{{"Host", "h:8085"}};
    std::string peer = "127.0.0.1";
    observability::Level level_before = observability::level();
    Router router{
        actuator_routes({.service = "data-collector",
                         .version = "1.2.3",
                         .refresh =
                             [] {
                                 return std::vector<std::string>{"processor.ctr.open", "x"};
                             }},
                        health, metrics)};

    ~ActuatorTest() override { observability::set_level(level_before); }

    Response ask(Method method, std::string_view path, std::string_view body = {}) {
        Response response;
        response.status = 0;
        Router::Match match;
        router.match(method, path, match);
        if (match.route == nullptr)
            return response;
        Request request;
        request.method = method;
        request.path = path;
        request.headers = headers;
        request.peer_ip = peer;
        request.body = body;
        request.path_parameters = match.parameters;
        match.route->handler(request, Responder(std::make_shared<Answered>(response)));
        return response;
    }
    json::object ask_json(std::string_view path) {
        return json::parse(ask(Method::get, path).body).as_object();
    }
};

TEST_F(ActuatorTest, LinksToWhatItOffers) {
    json::object links = ask_json("/actuator")["_links"].as_object();
    EXPECT_EQ(links["self"].as_object()["href"].as_string(), "http://h:8085/actuator");
    EXPECT_FALSE(links["self"].as_object()["templated"].as_bool());
    EXPECT_EQ(links["health-path"].as_object()["href"].as_string(),
              "http://h:8085/actuator/health/{*path}");
    EXPECT_TRUE(links["health-path"].as_object()["templated"].as_bool());
    for (const char* name : {"health", "info", "prometheus", "loggers", "refresh"})
        EXPECT_TRUE(links.contains(name)) << name;
}

TEST_F(ActuatorTest, AnswersInTheTypeThatIsAskedFor) {
    EXPECT_EQ(ask(Method::get, "/actuator/info").content_type,
              "application/vnd.spring-boot.actuator.v3+json");
    headers.push_back({"Accept", "application/json, text/plain"});
    EXPECT_EQ(ask(Method::get, "/actuator/info").content_type, "application/json");
}

TEST_F(ActuatorTest, TellsHealth) {
    health.set_accepting(true);
    health.add("redis", HealthRegistry::Affects::health_only, [] {
        return observability::ComponentHealth{observability::HealthStatus::down,
                                              {{"error", "refused"}}};
    });
    Response root = ask(Method::get, "/actuator/health");
    EXPECT_EQ(root.status, 503);
    EXPECT_EQ(json::parse(root.body).as_object()["status"].as_string(), "DOWN");
    EXPECT_EQ(ask(Method::get, "/actuator/health/liveness").status, 200);
    EXPECT_EQ(ask(Method::get, "/actuator/health/readiness").status, 200);
    EXPECT_EQ(ask(Method::get, "/actuator/health/redis").status, 503);
    health.set_accepting(false);
    EXPECT_EQ(ask(Method::get, "/actuator/health/readiness").status, 503);
    Response unknown = ask(Method::get, "/actuator/health/nothing");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(unknown.body, "");
}

TEST_F(ActuatorTest, TellsNameAndVersion) {
    json::object build = ask_json("/actuator/info")["build"].as_object();
    EXPECT_EQ(build["name"].as_string(), "data-collector");
    EXPECT_EQ(build["version"].as_string(), "1.2.3");
}

TEST_F(ActuatorTest, GivesMetricsToScrape) {
    metrics.counter("adtally_things_total", "Things").add(3);
    Response response = ask(Method::get, "/actuator/prometheus");
    EXPECT_EQ(response.content_type, "text/plain;version=0.0.4;charset=utf-8");
    EXPECT_NE(response.body.find("adtally_things_total{application=\"data-collector\"} 3"),
              std::string::npos);
}

TEST_F(ActuatorTest, ChangesTheLevel) {
    Response set = ask(Method::post, "/actuator/loggers/ROOT", R"({"configuredLevel":"debug"})");
    EXPECT_EQ(set.status, 204);
    EXPECT_EQ(set.body, "");
    EXPECT_EQ(observability::level(), observability::Level::debug);
    EXPECT_EQ(ask_json("/actuator/loggers/ROOT")["effectiveLevel"].as_string(), "DEBUG");
    json::object all = ask_json("/actuator/loggers");
    EXPECT_EQ(all["loggers"].as_object()["ROOT"].as_object()["configuredLevel"].as_string(),
              "DEBUG");
    EXPECT_EQ(ask(Method::post, "/actuator/loggers/ROOT", "{}").status, 204);
    EXPECT_EQ(observability::level(), level_before);
}

TEST_F(ActuatorTest, RefusesALevelThatThereIsNot) {
    for (const char* bad : {R"({"configuredLevel":"LOUD"})", R"({"configuredLevel":7})", "[]", "{"})
        EXPECT_EQ(ask(Method::post, "/actuator/loggers/ROOT", bad).status, 400) << bad;
    EXPECT_EQ(observability::level(), level_before);
    EXPECT_EQ(ask(Method::post, "/actuator/loggers/no.such", "{}").status, 404);
    EXPECT_EQ(ask(Method::get, "/actuator/loggers/no.such").status, 404);
}

TEST_F(ActuatorTest, TakesChangesFromTheMachineItselfOnly) {
    auto expect_refused = [&] {
        EXPECT_EQ(ask(Method::post, "/actuator/loggers/ROOT", "{}").status, 403);
        EXPECT_EQ(ask(Method::post, "/actuator/refresh").status, 403);
        EXPECT_EQ(ask(Method::get, "/actuator/loggers").status, 200);
    };
    peer = "192.0.2.1";
    expect_refused();
    peer = "127.0.0.1";
    headers.push_back({"X-Forwarded-For", "127.0.0.1"});
    expect_refused();
}

TEST_F(ActuatorTest, SaysWhatARefreshChanged) {
    EXPECT_EQ(ask(Method::post, "/actuator/refresh").body, R"(["processor.ctr.open","x"])");
    Router without{
        actuator_routes({.service = "s", .version = "1", .refresh = {}}, health, metrics)};
    Router::Match match;
    without.match(Method::post, "/actuator/refresh", match);
    EXPECT_EQ(match.route, nullptr);
}

}  // namespace

}  // namespace adtally::http
