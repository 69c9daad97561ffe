#include "app/collector_service.hpp"

#include <utility>

#include "app/version.hpp"
#include "platform/http/actuator.hpp"

namespace adtally::app {
namespace {

std::size_t size_of(const config::Settings& settings, std::string_view key) {
    return static_cast<std::size_t>(settings.integer(key));
}

Milliseconds span_of(const config::Settings& settings, std::string_view key) {
    return Milliseconds{settings.integer(key)};
}

// Approximate counters are not worth waiting for, least of all at the stop.
redis::ClientOptions impatient(redis::ClientOptions options) {
    options.command_timeout = Milliseconds{1'000};
    return options;
}

collector::CollectorOptions options_from(const CollectorService::Collaborators& with) {
    const config::Settings& settings = with.configuration.current();
    collector::CollectorOptions options;
    options.record_headers = with.record_headers;
    options.max_batch_events = size_of(settings, "collector.max-batch-events");
    options.max_batch_bytes = size_of(settings, "collector.max-body-bytes");
    options.max_events_in_flight = size_of(settings, "collector.max-events-in-flight");
    options.ack_deadline = span_of(settings, "collector.ack-deadline-ms");
    if (settings.text("collector.unknown-fields") == "keep")
        options.unknown_fields = domain::UnknownFields::keep;
    options.redirect_hosts = settings.text_list("collector.redirect-hosts");
    options.click_secret = settings.text("collector.click-secret");
    options.cors_origins = settings.text_list("collector.cors-origins");
    options.postback_tokens = settings.text_list("collector.postback-tokens");
    options.lanes = size_of(settings, "collector.io-threads");
    return options;
}

http::ServerOptions server_options(const config::Settings& settings, const LaunchOptions& launch,
                                   const collector::Collector& collector) {
    http::ServerOptions options;
    options.service = "data-collector";
    options.thread_name = "col-io";
    options.bind = settings.text("collector.bind");
    options.port = port_of(settings, "collector.port", launch);
    options.io_threads = static_cast<int>(settings.integer("collector.io-threads"));
    options.max_body_bytes = size_of(settings, "collector.max-body-bytes");
    options.max_connections = size_of(settings, "collector.max-connections");
    options.max_connections_per_ip = size_of(settings, "collector.max-connections-per-ip");
    options.header_timeout = span_of(settings, "collector.header-timeout-ms");
    options.body_timeout = span_of(settings, "collector.body-timeout-ms");
    options.idle_timeout = span_of(settings, "collector.idle-timeout-ms");
    options.rate_limit_per_ip =
        static_cast<double>(settings.integer("collector.rate-limit-per-ip"));
    options.rate_limit_burst = static_cast<double>(settings.integer("collector.rate-limit-burst"));
    if (options.rate_limit_burst == 0)
        options.rate_limit_burst = 2 * options.rate_limit_per_ip;
    options.trusted_proxies = settings.text_list("collector.trusted-proxies");
    options.decorate = [&collector](const http::Request& request, http::Response& response) {
        collector.decorate(request, response);
    };
    return options;
}

}  // namespace

CollectorService::CollectorService(const LaunchOptions& launch, Collaborators with)
    : realtime_store_(impatient(with.redis)),
      realtime_(realtime_store_, with.clock, metrics_,
                collector::CollectorOptions{}.realtime_flush),
      collector_(options_from(with), with.log.producer(), with.clock, metrics_, realtime_),
      server_(server_options(with.configuration.current(), launch, collector_),
              http::Router(routes(with.configuration)), metrics_) {
    collector_.add_health(health_);
    if (!with.intake_key.empty())
        reporter_ = std::make_unique<collector::IntakeReporter>(
            collector::IntakeReportOptions{impatient(with.redis), with.intake_key, with.spool_id,
                                           with.name},
            with.clock, [this, spool = with.spool] { return sums(spool); });
    if (with.spool == nullptr)
        return;
    metrics_.gauge(this, "adtally_collector_spool_events", "Events that wait for Kafka", {},
                   [spool = with.spool] { return static_cast<double>(spool->spool().records); });
    metrics_.gauge(this, "adtally_collector_spool_oldest_seconds",
                   "How long the oldest of them has waited", {}, [spool = with.spool] {
                       return std::chrono::duration<double>(spool->spool().oldest).count();
                   });
}

CollectorService::~CollectorService() {
    metrics_.remove_gauges(this);
}

std::vector<http::Route> CollectorService::routes(Configuration& configuration) {
    auto all = collector_.routes();
    auto actuator = http::actuator_routes(
        {"data-collector", version, [&configuration] { return configuration.reload(); }}, health_,
        metrics_);
    all.insert(all.end(), std::make_move_iterator(actuator.begin()),
               std::make_move_iterator(actuator.end()));
    return all;
}

void CollectorService::start() {
    collector_.start();
    if (reporter_ != nullptr)
        reporter_->start();
    server_.start();
    health_.set_accepting(true);
    metrics_.mark_ready();
}

void CollectorService::stop(Deadline deadline) {
    health_.set_accepting(false);
    server_.stop(deadline);
    (void)collector_.drain(deadline);
}

void CollectorService::log_closed() {
    if (reporter_ != nullptr)
        reporter_->stop();
}

// Accepted first: what is in it is in the log or in what is read next.
collector::IntakeSums CollectorService::sums(const eventlog::SpoolingLog* spool) const {
    const collector::CollectorBooks books = collector_.snapshot();
    collector::IntakeSums sums{.accepted = books.appended, .rejected = books.rejected};
    if (spool != nullptr)
        sums.waiting = spool->spool().records;
    return sums;
}

}  // namespace adtally::app
