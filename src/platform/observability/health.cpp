#include "platform/observability/health.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <map>
#include <string_view>

#include "base/assert.hpp"
#include "platform/observability/utf8.hpp"

namespace adtally::observability {
namespace {

namespace json = boost::json;

constexpr std::string_view kLivenessState = "livenessState";
constexpr std::string_view kReadinessState = "readinessState";
constexpr std::string_view kPing = "ping";
constexpr std::string_view kLiveness = "liveness";
constexpr std::string_view kReadiness = "readiness";

using Components = std::map<std::string, ComponentHealth, std::less<>>;

bool is_reserved(std::string_view name) {
    return name == kLivenessState || name == kReadinessState || name == kPing ||
           name == kLiveness || name == kReadiness;
}

json::string_view name_of(HealthStatus status) {
    switch (status) {
        case HealthStatus::up:
            return "UP";
        case HealthStatus::down:
            return "DOWN";
        case HealthStatus::out_of_service:
            return "OUT_OF_SERVICE";
        case HealthStatus::unknown:
            return "UNKNOWN";
    }
    return "UNKNOWN";
}

int http_status_of(HealthStatus status) {
    switch (status) {
        case HealthStatus::up:
        case HealthStatus::unknown:
            return 200;
        case HealthStatus::down:
        case HealthStatus::out_of_service:
            return 503;
    }
    return 503;
}

// The worse, the smaller: Spring's order.
int severity_rank(HealthStatus status) {
    switch (status) {
        case HealthStatus::down:
            return 0;
        case HealthStatus::out_of_service:
            return 1;
        case HealthStatus::up:
            return 2;
        case HealthStatus::unknown:
            return 3;
    }
    return 0;
}

HealthStatus worse(HealthStatus a, HealthStatus b) {
    return severity_rank(a) <= severity_rank(b) ? a : b;
}

ComponentHealth run(const std::function<ComponentHealth()>& check) {
    try {
        return check();
    } catch (const std::exception& exception) {
        return {HealthStatus::down, {{"error", exception.what()}}};
    }
}

ComponentHealth readiness_state(bool accepting) {
    return {accepting ? HealthStatus::up : HealthStatus::out_of_service, {}};
}

json::object to_json(const ComponentHealth& health) {
    json::object out;
    out["status"] = name_of(health.status);
    if (health.details.empty())
        return out;
    json::object details;
    for (const auto& [key, value] : health.details)
        details[valid_utf8(key)] = valid_utf8(value);
    out["details"] = std::move(details);
    return out;
}

json::object to_json(HealthStatus status, const Components& components) {
    json::object parts;
    for (const auto& [name, health] : components)
        parts[valid_utf8(name)] = to_json(health);
    json::object out;
    out["status"] = name_of(status);
    out["components"] = std::move(parts);
    return out;
}

HealthStatus aggregate(const Components& components) {
    HealthStatus status = HealthStatus::unknown;
    for (const auto& [name, health] : components)
        status = worse(status, health.status);
    return status;
}

}  // namespace

void HealthRegistry::add(std::string name, Affects affects,
                         std::function<ComponentHealth()> check) {
    ADTALLY_ASSERT(!is_reserved(name));
    ADTALLY_ASSERT(check != nullptr);
    std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_)
        ADTALLY_ASSERT(entry.name != name);
    entries_.push_back({std::move(name), affects, std::move(check)});
}

void HealthRegistry::remove(const std::string& name) {
    std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const Entry& entry) { return entry.name == name; });
}

void HealthRegistry::set_accepting(bool accepting) {
    std::lock_guard lock(mutex_);
    accepting_ = accepting;
}

HealthAnswer HealthRegistry::root() const {
    std::lock_guard lock(mutex_);
    Components components;
    components.emplace(kLivenessState, ComponentHealth{});
    components.emplace(kReadinessState, readiness_state(accepting_));
    components.emplace(kPing, ComponentHealth{});
    for (const Entry& entry : entries_)
        components.emplace(entry.name, run(entry.check));
    const HealthStatus status = aggregate(components);
    json::object body = to_json(status, components);
    body["groups"] = {json::string_view(kLiveness), json::string_view(kReadiness)};
    return {http_status_of(status), json::serialize(body)};
}

HealthAnswer HealthRegistry::liveness() const {
    Components components;
    components.emplace(kLivenessState, ComponentHealth{});
    return {200, json::serialize(to_json(HealthStatus::up, components))};
}

HealthAnswer HealthRegistry::readiness() const {
    std::lock_guard lock(mutex_);
    Components components;
    components.emplace(kReadinessState, readiness_state(accepting_));
    HealthStatus status = components.begin()->second.status;
    for (const Entry& entry : entries_) {
        if (entry.affects != Affects::health_and_readiness)
            continue;
        const ComponentHealth& health =
            components.emplace(entry.name, run(entry.check)).first->second;
        // Nobody sends traffic to what does not know yet whether it works.
        status = worse(status, health.status == HealthStatus::unknown ? HealthStatus::out_of_service
                                                                      : health.status);
    }
    return {http_status_of(status), json::serialize(to_json(status, components))};
}

HealthAnswer HealthRegistry::component(const std::string& name) const {
    if (name == kLiveness)
        return liveness();
    if (name == kReadiness)
        return readiness();
    std::lock_guard lock(mutex_);
    const auto answer = [](const ComponentHealth& health) {
        return HealthAnswer{http_status_of(health.status), json::serialize(to_json(health))};
    };
    if (name == kLivenessState || name == kPing)
        return answer({});
    if (name == kReadinessState)
        return answer(readiness_state(accepting_));
    for (const Entry& entry : entries_) {
        if (entry.name == name)
            return answer(run(entry.check));
    }
    return {404, ""};
}

}  // namespace adtally::observability
