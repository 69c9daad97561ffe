// A collector with everything around it faked, and requests in one line.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/collector/collector.hpp"
#include "pipeline/collector/fakes/fake_connection.hpp"
#include "pipeline/collector/fakes/fake_producer.hpp"
#include "pipeline/collector/fakes/fake_realtime_store.hpp"

namespace adtally::collector {

inline constexpr TimestampMs test_now{1'705'327'402'123};  // 2024-01-15T14:03:22.123Z
inline constexpr std::int64_t test_second = 1'705'327'402;

using HeaderTexts = std::vector<std::pair<std::string, std::string>>;

// The collector under test, with a clock that stands still and no thread of its own.
class TestBed {
public:
    explicit TestBed(CollectorOptions options = {}, std::size_t max_record_bytes = 1'000'000)
        : realtime(store, clock, metrics, options.realtime_flush) {
        log.set_max_record_bytes(max_record_bytes);
        collector = std::make_unique<Collector>(std::move(options), log, clock, metrics, realtime);
        router = std::make_unique<http::Router>(collector->routes());
    }

    using Client = std::shared_ptr<FakeConnection>;

    Client send(http::Method method, std::string target, HeaderTexts headers = {},
                std::string body = {}) {
        auto client = std::make_shared<FakeConnection>();
        client->target = std::move(target);
        client->body_bytes = std::move(body);
        client->header_texts = std::move(headers);
        for (const auto& [name, value] : client->header_texts)
            client->fields.push_back({name, value});
        http::Request& request = client->request;
        request.method = method;
        request.target = client->target;
        std::size_t mark = request.target.find('?');
        request.path = request.target.substr(0, mark);
        request.query = mark == std::string_view::npos ? "" : request.target.substr(mark + 1);
        request.body = client->body_bytes;
        request.headers = client->fields;
        request.peer_ip = "203.0.113.9";
        request.client_ip = "203.0.113.9";
        request.trace_id = "0af7651916cd43dd8448eb211c80319c";
        request.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        http::Router::Match match;
        router->match(method, request.path, match);
        if (match.route == nullptr)
            http::Responder(client).send(http::problem(request, {404, "not_found", "", ""}));
        else
            match.route->handler(request, http::Responder(client));
        return client;
    }
    Client get(std::string target, HeaderTexts headers = {}) {
        return send(http::Method::get, std::move(target), std::move(headers));
    }
    Client post(std::string target, std::string body, HeaderTexts headers = {}) {
        return send(http::Method::post, std::move(target), std::move(headers), std::move(body));
    }
    Client post_event(std::string body) {
        return post("/api/events", std::move(body), {{"Content-Type", "application/json"}});
    }
    Client post_batch(std::string body) {
        return post("/api/events/batch", std::move(body), {{"Content-Type", "application/json"}});
    }

    // Values of all records that the log made durable, in order.
    std::vector<std::string> stored() const {
        std::vector<std::string> values;
        for (const FakeProducer::Appended& appended : log.appended()) {
            for (std::size_t i = 0; i < appended.batch.size(); ++i)
                values.emplace_back(appended.batch[i].value);
        }
        return values;
    }
    double refused(const std::string& reason) {
        return metrics.counter("adtally_collector_requests_refused_total", "", {{"reason", reason}})
            .value();
    }
    double rejected(const std::string& code) {
        return metrics.counter("adtally_collector_events_rejected_total", "", {{"code", code}})
            .value();
    }
    double unacknowledged(const std::string& reason) {
        return metrics
            .counter("adtally_collector_clicks_unacknowledged_total", "", {{"reason", reason}})
            .value();
    }

    ManualClock clock{test_now};
    observability::MetricRegistry metrics{"data-collector"};
    FakeProducer log;
    FakeRealtimeStore store;
    Realtime realtime;
    std::unique_ptr<Collector> collector;
    std::unique_ptr<http::Router> router;
};

}  // namespace adtally::collector
