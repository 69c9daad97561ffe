#include "app/processor_service.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "app/version.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"
#include "platform/http/actuator.hpp"

namespace adtally::app {
namespace {

constexpr const char* topic = "ad-events";
constexpr int api_threads = 2;
constexpr std::size_t api_queue = 1'000;

std::int64_t millionths_of(double percent) {
    constexpr double millionths_per_percent = 10'000;
    return static_cast<std::int64_t>(percent * millionths_per_percent + 0.5);
}

processor::Thresholds thresholds_from(const config::Settings& settings) {
    processor::Thresholds thresholds;
    thresholds.ctr_open_millionths = millionths_of(settings.number("processor.ctr-open-percent"));
    // An incident that closes above where it opens would open and close with every flush.
    thresholds.ctr_close_millionths =
        std::min(millionths_of(settings.number("processor.ctr-close-percent")),
                 thresholds.ctr_open_millionths);
    thresholds.ctr_min_impressions = settings.integer("processor.ctr-min-impressions");
    thresholds.session_clicks = settings.integer("processor.session-clicks");
    return thresholds;
}

processor::Options options_from(const config::Settings& settings) {
    processor::Options options;
    options.topic = topic;
    options.reporting_zone = settings.text("processor.reporting-zone");
    options.flush_interval = Milliseconds{settings.integer("processor.flush-interval-ms")};
    options.flush_events = static_cast<std::size_t>(settings.integer("processor.flush-events"));
    options.dedup_window = std::chrono::seconds(settings.integer("processor.dedup-window-s"));
    return options;
}

Milliseconds reconcile_every(const config::Settings& settings) {
    return std::chrono::seconds(settings.integer("processor.reconcile-every-s"));
}

domain::ReportingZone zone_from(const config::Settings& settings) {
    auto zone = domain::ReportingZone::from_name(settings.text("processor.reporting-zone"));
    // The processor has refused an unknown one with its remedy.
    return zone.value_or(domain::ReportingZone::utc());
}

std::vector<std::unique_ptr<alerts::AlertSink>> sinks_from(const config::Settings& settings,
                                                           eventlog::EventLog& log,
                                                           metrics_api::EventStreamHub& hub,
                                                           const Clock& clock) {
    std::vector<std::unique_ptr<alerts::AlertSink>> sinks;
    sinks.push_back(alerts::make_log_sink());
    sinks.push_back(alerts::make_topic_sink(log.producer(), "ad-anomalies"));
    sinks.push_back(alerts::make_listener_sink(
        "stream", [&hub](const std::string& json) { hub.publish("anomaly", json); }));
    if (const std::string& url = settings.text("alerts.webhook-url"); !url.empty())
        sinks.push_back(alerts::make_webhook_sink(
            {url, settings.text("alerts.webhook-secret"), Milliseconds{5'000}}, clock));
    if (const std::string& url = settings.text("alerts.alertmanager-url"); !url.empty())
        sinks.push_back(alerts::make_alertmanager_sink({url, "", Milliseconds{5'000}}, clock));
    return sinks;
}

alerts::AlertOptions alert_options(redis::ClientOptions redis, std::string instance,
                                   const eventlog::EventLog& log) {
    alerts::AlertOptions options;
    options.redis = std::move(redis);
    options.instance = std::move(instance);
    options.topic = topic;
    options.log_id = [&log]() -> Result<std::string> {
        ADTALLY_TRY(const auto info, log.topic(topic));
        return info.log_id;
    };
    return options;
}

http::ServerOptions server_options(const config::Settings& settings, const LaunchOptions& launch) {
    http::ServerOptions options;
    options.service = "data-processor";
    options.thread_name = "proc-io";
    options.bind = settings.text("processor.bind");
    options.port = port_of(settings, "processor.port", launch);
    options.io_threads = static_cast<int>(settings.integer("processor.io-threads"));
    options.max_connections =
        static_cast<std::size_t>(settings.integer("processor.max-connections"));
    options.max_body_bytes = 64u << 10;
    return options;
}

}  // namespace

ProcessorService::Loop::Loop(const Collaborators& with,
                             processor::MetricPublisher::Listener listener,
                             const processor::LiveThresholds& thresholds,
                             observability::MetricRegistry& metrics)
    : store(with.redis, topic, with.clock, with.crash_points,
            counting_rules(with.configuration.current())),
      publisher(with.log.producer(), "ad-metrics", with.clock, {std::move(listener)}),
      processor(options_from(with.configuration.current()), with.log, store, thresholds, publisher,
                with.clock, metrics, with.crash_points) {}

ProcessorService::ProcessorService(const LaunchOptions& launch, Collaborators with)
    : thresholds_(thresholds_from(with.configuration.current())),
      alerts_(alert_options(with.redis, with.instance, with.log),
              sinks_from(with.configuration.current(), with.log, hub_, with.clock), with.clock,
              metrics_, with.crash_points),
      workers_(with.redis, api_threads, api_queue),
      api_(workers_, hub_, with.log, topic, zone_from(with.configuration.current()), with.clock,
           with.intake, reconcile_every(with.configuration.current())),
      reconciler_({with.redis, topic, reconcile_every(with.configuration.current())}, with.log,
                  with.intake, with.clock),
      operations_(with.redis, with.log, zone_from(with.configuration.current()), with.clock,
                  {.dedup_window = options_from(with.configuration.current()).dedup_window}),
      server_(server_options(with.configuration.current(), launch),
              http::Router(routes(with.configuration)), metrics_) {
    const std::int64_t workers = with.configuration.current().integer("processor.workers");
    for (std::int64_t i = 0; i < workers; ++i)
        loops_.push_back(std::make_unique<Loop>(
            with, [this](const std::string& json) { hub_.publish("metric", json); }, thresholds_,
            metrics_));
    add_health(with);
    with.configuration.on_change(
        [this](const config::Settings& settings) { thresholds_.set(thresholds_from(settings)); });
}

ProcessorService::~ProcessorService() = default;

std::vector<http::Route> ProcessorService::routes(Configuration& configuration) {
    auto all = api_.routes();
    auto for_operators = operations_.routes();
    all.insert(all.end(), std::make_move_iterator(for_operators.begin()),
               std::make_move_iterator(for_operators.end()));
    auto actuator = http::actuator_routes(
        {"data-processor", version, [&configuration] { return configuration.reload(); }}, health_,
        metrics_);
    all.insert(all.end(), std::make_move_iterator(actuator.begin()),
               std::make_move_iterator(actuator.end()));
    return all;
}

void ProcessorService::add_health(const Collaborators& with) {
    using Affects = observability::HealthRegistry::Affects;
    health_.add("processor", Affects::health_and_readiness, [this] { return loops_health(); });
    health_.add("redis", Affects::health_and_readiness, with.redis_health);
    metrics_.gauge(this, "adtally_processor_pending_events", "Folded and not yet in Redis", {},
                   [this] { return static_cast<double>(sum().pending_events); });
    metrics_.gauge(this, "adtally_processor_dedup_bytes", "Memory of the deduplication window", {},
                   [this] { return static_cast<double>(sum().dedup_bytes); });
    metrics_.gauge(this, "adtally_processor_lag_events",
                   "Records of its partitions, appended and not yet counted", {},
                   [this] { return static_cast<double>(sum().lag_events); });
    metrics_.gauge(this, "adtally_pipeline_difference_events",
                   "By how many events the books of all differed when they were last read", {},
                   [this] { return static_cast<double>(reconciler_.difference()); });
}

void ProcessorService::start() {
    alerts_.start();
    reconciler_.start();
    for (auto& loop : loops_)
        loop->processor.start();
    server_.start();
    health_.set_accepting(true);
    metrics_.mark_ready();
}

void ProcessorService::stop(Deadline deadline) {
    health_.set_accepting(false);
    hub_.stop();
    server_.stop(deadline);
    workers_.stop();
    operations_.stop();
    // Beside one another: each may wait for a Redis that does not answer.
    std::vector<std::jthread> others;
    others.emplace_back([this] { alerts_.stop(); });
    others.emplace_back([this] { reconciler_.stop(); });
    for (auto& loop : loops_)
        others.emplace_back([&loop] { loop->processor.stop(); });
    others.clear();  // joins them
    metrics_.remove_gauges(this);
}

// The worst of the loops, with the sums of all.
observability::ComponentHealth ProcessorService::loops_health() const {
    observability::ComponentHealth worst = loops_.front()->processor.health();
    for (const auto& loop : loops_)
        if (auto health = loop->processor.health();
            health.status != observability::HealthStatus::up)
            worst = std::move(health);
    std::erase_if(worst.details, [](const auto& detail) { return detail.first != "error"; });
    const processor::Snapshot all = sum();
    worst.details.insert(worst.details.begin(),
                         {{"workers", std::to_string(loops_.size())},
                          {"pendingEvents", std::to_string(all.pending_events)},
                          {"dedupEntries", std::to_string(all.dedup_entries)}});
    return worst;
}

processor::Snapshot ProcessorService::sum() const {
    processor::Snapshot all;
    for (const auto& loop : loops_) {
        const processor::Snapshot one = loop->processor.snapshot();
        all.pending_events += one.pending_events;
        all.lag_events += one.lag_events;
        all.dedup_entries += one.dedup_entries;
        all.dedup_bytes += one.dedup_bytes;
    }
    return all;
}

redis_sink::CountingRules counting_rules(const config::Settings& settings) {
    return {zone_from(settings).name(), settings.integer("processor.dedup-window-s")};
}

std::string intake_key() {
    return redis_sink::keys::intake(topic);
}

std::int64_t records_in(const eventlog::EventLog& log) {
    std::int64_t records = 0;
    if (auto watermarks = log.watermarks("ad-events"))
        for (const auto& partition : watermarks.value())
            records += partition.end.value;
    return records;
}

}  // namespace adtally::app
