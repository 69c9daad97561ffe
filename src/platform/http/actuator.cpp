// See actuator.hpp. The shapes are Spring Boot's, because its tools read them.
#include "platform/http/actuator.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <memory>

#include "platform/http/ascii.hpp"
#include "platform/observability/log.hpp"

namespace adtally::http {

namespace {

namespace json = boost::json;
using observability::HealthAnswer;
using observability::HealthRegistry;
using observability::Level;

constexpr std::string_view actuator_type = "application/vnd.spring-boot.actuator.v3+json";

// Spring's own type unless the caller asks for plain JSON by name.
std::string content_type_for(const Request& request) {
    std::string_view accept = request.header("Accept").value_or("");
    if (accept.find(actuator_type) != std::string_view::npos)
        return std::string(actuator_type);
    bool plain = accept.find("application/json") != std::string_view::npos;
    return plain ? "application/json" : std::string(actuator_type);
}

Response document(const Request& request, int status, std::string body) {
    Response response;
    response.status = status;
    response.content_type = content_type_for(request);
    response.body = std::move(body);
    return response;
}

Response empty(int status) {
    Response response;
    response.status = status;
    return response;
}

Response health_response(const Request& request, HealthAnswer answer) {
    if (answer.body.empty())
        return empty(answer.http_status);
    return document(request, answer.http_status, std::move(answer.body));
}

Route get(std::string path, std::string what, Handler handler) {
    return {Method::get, std::move(path), std::move(what), std::move(handler)};
}

// ---- index and info

Response index(const Request& request, bool with_refresh) {
    std::string base = "http://";
    base += request.header("Host").value_or("localhost");
    base += "/actuator";
    json::object links;
    auto add = [&](std::string_view name, std::string_view path) {
        bool templated = path.find('{') != std::string_view::npos;
        links[name] = {{"href", base + std::string(path)}, {"templated", templated}};
    };
    add("self", "");
    add("health", "/health");
    add("health-path", "/health/{*path}");
    add("info", "/info");
    add("prometheus", "/prometheus");
    add("loggers", "/loggers");
    add("loggers-name", "/loggers/{name}");
    if (with_refresh)
        add("refresh", "/refresh");
    return document(request, 200, json::serialize(json::object{{"_links", links}}));
}

std::string info_body(const ActuatorOptions& options) {
    return json::serialize(json::object{
        {"build",
         {{"artifact", "adtally"}, {"name", options.service}, {"version", options.version}}}});
}

// ---- loggers: there is one level for all, which is ROOT's

std::string upper(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return result;
}

json::object root_logger() {
    std::string level = upper(observability::to_string(observability::level()));
    return {{"configuredLevel", level}, {"effectiveLevel", level}};
}

Response loggers(const Request& request) {
    json::object body{{"levels", json::array{"OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"}},
                      {"loggers", json::object{{"ROOT", root_logger()}}},
                      {"groups", json::object{}}};
    return document(request, 200, json::serialize(body));
}

Response bad_level(const Request& request) {
    return problem(request, Problem{.status = 400,
                                    .code = "level_invalid",
                                    .detail = "send {\"configuredLevel\":\"DEBUG\"}; levels: OFF, "
                                              "ERROR, WARN, INFO, DEBUG, TRACE",
                                    .pointer = "#/configuredLevel"});
}

// A level that is absent or null means the one the process was started with.
Response set_root_level(const Request& request, Level at_start) {
    boost::system::error_code ec;
    json::value body =
        request.body.empty() ? json::value(json::object{}) : json::parse(request.body, ec);
    if (ec || !(body.is_object() || body.is_null()))
        return bad_level(request);
    const json::value* wanted =
        body.is_object() ? body.as_object().if_contains("configuredLevel") : nullptr;
    Level level = at_start;
    if (wanted != nullptr && !wanted->is_null()) {
        if (!wanted->is_string() ||
            !observability::parse_level(std::string_view(wanted->as_string()), level))
            return bad_level(request);
    }
    observability::set_level(level);
    return empty(204);
}

// The actuator stands on the service's public port. What changes something is for those who are on
// the machine; a request that a proxy passed on is not from the machine, whoever the peer is.
Handler only_from_here(Handler handler) {
    return [handler = std::move(handler)](const Request& request, Responder responder) {
        bool here = request.peer_ip == "127.0.0.1" || request.peer_ip == "::1";
        if (here && !request.header("X-Forwarded-For") && !request.header("Forwarded"))
            return handler(request, std::move(responder));
        responder.send(problem(request, Problem{.status = 403,
                                                .code = "only_local",
                                                .detail = "ask from the machine itself",
                                                .pointer = {}}));
    };
}

void add_logger_routes(std::vector<Route>& routes) {
    auto is_root = [](const Request& request) {
        return iequals(request.path_parameters.front(), "ROOT");
    };
    routes.push_back(
        get("/actuator/loggers", "levels of the loggers",
            [](const Request& request, Responder responder) { responder.send(loggers(request)); }));
    routes.push_back(get(
        "/actuator/loggers/{name}", "level of one logger",
        [is_root](const Request& request, Responder responder) {
            responder.send(is_root(request) ? document(request, 200, json::serialize(root_logger()))
                                            : empty(404));
        }));
    Level at_start = observability::level();
    routes.push_back(
        {Method::post, "/actuator/loggers/{name}", "change a level while running",
         only_from_here([is_root, at_start](const Request& request, Responder responder) {
             responder.send(is_root(request) ? set_root_level(request, at_start) : empty(404));
         })});
}

void add_health_routes(std::vector<Route>& routes, const HealthRegistry& health) {
    auto add = [&](std::string path, std::string what,
                   std::function<HealthAnswer(const Request&)> ask) {
        routes.push_back(get(std::move(path), std::move(what),
                             [ask](const Request& request, Responder responder) {
                                 responder.send(health_response(request, ask(request)));
                             }));
    };
    add("/actuator/health", "is the service well, and what of it is not",
        [&health](const Request&) { return health.root(); });
    add("/actuator/health/liveness", "should the process be restarted",
        [&health](const Request&) { return health.liveness(); });
    add("/actuator/health/readiness", "may it be sent requests",
        [&health](const Request&) { return health.readiness(); });
    add("/actuator/health/{component}", "health of one part", [&health](const Request& request) {
        return health.component(request.path_parameters.front());
    });
}

}  // namespace

std::vector<Route> actuator_routes(ActuatorOptions options, const HealthRegistry& health,
                                   const observability::MetricRegistry& metrics) {
    std::vector<Route> routes;
    bool with_refresh = options.refresh != nullptr;
    routes.push_back(get("/actuator", "what the actuator offers",
                         [with_refresh](const Request& request, Responder responder) {
                             responder.send(index(request, with_refresh));
                         }));
    add_health_routes(routes, health);
    routes.push_back(get("/actuator/info", "name and version",
                         [body = info_body(options)](const Request& request, Responder responder) {
                             responder.send(document(request, 200, body));
                         }));
    routes.push_back(get("/actuator/prometheus", "metrics to scrape",
                         [&metrics](const Request&, Responder responder) {
                             Response response;
                             response.content_type = "text/plain;version=0.0.4;charset=utf-8";
                             response.body = metrics.prometheus_text();
                             responder.send(std::move(response));
                         }));
    add_logger_routes(routes);
    if (with_refresh) {
        routes.push_back({Method::post, "/actuator/refresh", "reload live configuration",
                          only_from_here([refresh = options.refresh](const Request& request,
                                                                     Responder responder) {
                              json::array changed;
                              for (const std::string& key : refresh())
                                  changed.emplace_back(key);
                              responder.send(document(request, 200, json::serialize(changed)));
                          })});
    }
    return routes;
}

}  // namespace adtally::http
