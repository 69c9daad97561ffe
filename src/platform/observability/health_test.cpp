#include "platform/observability/health.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace adtally::observability {
namespace {

using Affects = HealthRegistry::Affects;

std::function<ComponentHealth()> always(HealthStatus status, std::string error = {}) {
    return [=] {
        ComponentHealth health{status, {}};
        if (!error.empty())
            health.details.emplace_back("error", error);
        return health;
    };
}

TEST(Health, AtStartTheInstanceLivesButTakesNoTraffic) {
    HealthRegistry health;
    EXPECT_EQ(health.liveness().http_status, 200);
    EXPECT_EQ(health.liveness().body,
              R"({"status":"UP","components":{"livenessState":{"status":"UP"}}})");
    EXPECT_EQ(health.readiness().http_status, 503);
    EXPECT_EQ(health.readiness().body,
              R"({"status":"OUT_OF_SERVICE",)"
              R"("components":{"readinessState":{"status":"OUT_OF_SERVICE"}}})");
    EXPECT_EQ(health.root().http_status, 503);
}

TEST(Health, RootShowsComponentsByNameWithDetailsAndGroups) {
    HealthRegistry health;
    health.set_accepting(true);
    health.add("redis", Affects::health_only, [] {
        return ComponentHealth{HealthStatus::up, {{"version", "7.0.15"}}};
    });
    health.add("eventLog", Affects::health_only, always(HealthStatus::up));
    const HealthAnswer root = health.root();
    EXPECT_EQ(root.http_status, 200);
    EXPECT_EQ(root.body, R"({"status":"UP","components":{"eventLog":{"status":"UP"},)"
                         R"("livenessState":{"status":"UP"},"ping":{"status":"UP"},)"
                         R"("readinessState":{"status":"UP"},)"
                         R"("redis":{"status":"UP","details":{"version":"7.0.15"}}},)"
                         R"("groups":["liveness","readiness"]})");
}

TEST(Health, AComponentThatIsHealthOnlyLeavesReadinessAlone) {
    HealthRegistry health;
    health.set_accepting(true);
    health.add("alerts", Affects::health_only, always(HealthStatus::down, "webhook: 500"));
    EXPECT_EQ(health.root().http_status, 503);
    EXPECT_EQ(health.readiness().http_status, 200);
    EXPECT_EQ(health.readiness().body,
              R"({"status":"UP","components":{"readinessState":{"status":"UP"}}})");
    EXPECT_EQ(health.liveness().http_status, 200);
}

TEST(Health, AComponentThatAffectsReadinessTakesTheInstanceOutOfRotation) {
    HealthRegistry health;
    health.set_accepting(true);
    HealthStatus status = HealthStatus::up;
    health.add("redis", Affects::health_and_readiness, [&] {
        return ComponentHealth{status, {{"error", "connection refused"}}};
    });
    EXPECT_EQ(health.readiness().http_status, 200);
    status = HealthStatus::down;
    EXPECT_EQ(health.readiness().http_status, 503);
    EXPECT_EQ(health.readiness().body,
              R"({"status":"DOWN","components":{"readinessState":{"status":"UP"},)"
              R"("redis":{"status":"DOWN","details":{"error":"connection refused"}}}})");
    EXPECT_EQ(health.liveness().http_status, 200) << "never depends on anything outside";
    status = HealthStatus::unknown;
    EXPECT_EQ(health.readiness().http_status, 503) << "unknown is not ready";
    status = HealthStatus::out_of_service;
    EXPECT_EQ(health.readiness().http_status, 503);
    status = HealthStatus::up;
    EXPECT_EQ(health.readiness().http_status, 200);
}

TEST(Health, TheWorstStatusWins) {
    HealthRegistry health;
    health.set_accepting(true);
    const auto root_begins = [&](const char* status) {
        return health.root().body.find(std::string("{\"status\":\"") + status + "\"") == 0;
    };
    health.add("a", Affects::health_only, always(HealthStatus::unknown));
    EXPECT_TRUE(root_begins("UP")) << health.root().body;
    health.add("b", Affects::health_only, always(HealthStatus::out_of_service));
    EXPECT_TRUE(root_begins("OUT_OF_SERVICE")) << health.root().body;
    health.add("c", Affects::health_only, always(HealthStatus::down));
    EXPECT_TRUE(root_begins("DOWN")) << health.root().body;
}

TEST(Health, OneComponent) {
    HealthRegistry health;
    health.add("redis", Affects::health_only, always(HealthStatus::down, "gone"));
    health.add("clock", Affects::health_only, always(HealthStatus::unknown));
    EXPECT_EQ(health.component("redis").http_status, 503);
    EXPECT_EQ(health.component("redis").body, R"({"status":"DOWN","details":{"error":"gone"}})");
    EXPECT_EQ(health.component("clock").http_status, 200);
    EXPECT_EQ(health.component("ping").body, R"({"status":"UP"})");
    EXPECT_EQ(health.component("livenessState").http_status, 200);
    EXPECT_EQ(health.component("readinessState").http_status, 503);
    EXPECT_EQ(health.component("readiness").body, health.readiness().body);
    EXPECT_EQ(health.component("liveness").body, health.liveness().body);
    EXPECT_EQ(health.component("nothing").http_status, 404);
    EXPECT_EQ(health.component("nothing").body, "");
    health.remove("redis");
    EXPECT_EQ(health.component("redis").http_status, 404);
}

TEST(Health, ACheckThatThrowsIsDownAndAnyBytesAreReadable) {
    HealthRegistry health;
    health.add("log", Affects::health_only, []() -> ComponentHealth {
        throw std::runtime_error("bad byte \xFF and \"quote\"");
    });
    EXPECT_EQ(health.component("log").body,
              "{\"status\":\"DOWN\",\"details\":{\"error\":\"bad byte \xEF\xBF\xBD and "
              "\\\"quote\\\"\"}}");
}

TEST(Health, AfterRemoveACheckRunsNoMore) {
    HealthRegistry health;
    std::atomic<bool> stop{false};
    std::thread asking([&] {
        while (!stop)
            health.root();
    });
    for (int i = 0; i < 200; ++i) {
        auto alive = std::make_unique<int>(i);
        int* seen = alive.get();
        health.add("short-lived", Affects::health_only, [seen] {
            return ComponentHealth{*seen >= 0 ? HealthStatus::up : HealthStatus::down, {}};
        });
        health.remove("short-lived");
        alive.reset();
    }
    stop = true;
    asking.join();
    EXPECT_EQ(health.component("short-lived").http_status, 404);
}

TEST(HealthDeathTest, ANameBelongsToOneComponent) {
    HealthRegistry health;
    health.add("redis", Affects::health_only, always(HealthStatus::up));
    EXPECT_DEATH(health.add("redis", Affects::health_only, always(HealthStatus::up)), "");
    EXPECT_DEATH(health.add("ping", Affects::health_only, always(HealthStatus::up)), "");
}

}  // namespace
}  // namespace adtally::observability
