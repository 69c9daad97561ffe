// Health of a service as Spring Boot's actuator tells it.
//
// A component is a function that says up or down with the reason. Liveness never depends on
// anything outside the process; readiness is what a load balancer asks.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace adtally::observability {

enum class HealthStatus { up, down, out_of_service, unknown };

struct ComponentHealth {
    HealthStatus status = HealthStatus::up;
    std::vector<std::pair<std::string, std::string>> details;  // "error" holds the reason
};

struct HealthAnswer {
    int http_status;   // 200, 503, or 404 for an unknown component
    std::string body;  // JSON; empty for an unknown component
};

// Thread-safe. `check` runs on the asking thread and must be quick: it reports what is known, it
// does not probe. After remove() it neither runs nor will run; so do not call add, remove or
// set_accepting with a lock held that a check takes. A check that throws is DOWN with the reason.
//
// Built in: livenessState, readinessState, ping; their names, and those of the groups `liveness`
// and `readiness`, may not be added.
class HealthRegistry {
public:
    enum class Affects {
        health_only,           // shown, DOWN makes the whole DOWN
        health_and_readiness,  // and takes the instance out of rotation
    };
    void add(std::string name, Affects affects, std::function<ComponentHealth()> check);
    void remove(const std::string& name);
    // At start false; true once everything runs; false again first thing at shutdown.
    void set_accepting(bool accepting);

    HealthAnswer root() const;
    HealthAnswer liveness() const;
    HealthAnswer readiness() const;
    // A component's name, or `liveness` or `readiness`.
    HealthAnswer component(const std::string& name) const;

private:
    struct Entry {
        std::string name;
        Affects affects;
        std::function<ComponentHealth()> check;
    };
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    bool accepting_ = false;
};

}  // namespace adtally::observability
