#include "app/cluster_stack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "platform/eventlog/kafka/kafka_log.hpp"
#include "platform/eventlog/rocksdb_log.hpp"
#include "platform/observability/log.hpp"

namespace adtally::app {
namespace {

constexpr const char* spooled_topic = "ad-events";

redis::ClientOptions client_options(const config::Settings& settings) {
    std::string url = settings.text("redis.url");
    if (url.empty())
        url = "redis://127.0.0.1:6379";
    auto endpoint = redis::parse_endpoint(url);
    if (!endpoint)
        throw std::runtime_error("redis.url: " + endpoint.error().message);
    redis::ClientOptions options;
    options.endpoint = endpoint.value();
    return options;
}

// name=value, as librdkafka names them. What is not of that form may be a secret's second half: its
// place is told, not its text.
eventlog::kafka::Properties properties(const config::Settings& settings) {
    eventlog::kafka::Properties properties;
    const std::vector<std::string> items = settings.text_list("kafka.properties");
    properties.reserve(items.size());
    for (const std::string& each : items) {
        const std::size_t equals = each.find('=');
        if (equals == std::string::npos || equals == 0)
            throw std::runtime_error(
                fmt::format("kafka.properties: item {} of {} is not of the form name=value; a "
                            "value that holds a comma is written as an item of a list in the "
                            "--config file",
                            properties.size() + 1, items.size()));
        properties.emplace_back(each.substr(0, equals), each.substr(equals + 1));
    }
    return properties;
}

// Nobody waits for a metric event, and a request to Kafka costs as much as many of them.
constexpr Milliseconds processor_linger{50};

std::unique_ptr<eventlog::EventLog> open_log(const config::Settings& settings, bool of_collector) {
    const auto partitions = static_cast<std::int32_t>(settings.integer("kafka.partitions"));
    eventlog::kafka::LogOptions options;
    options.cluster.bootstrap = settings.text("kafka.bootstrap-servers");
    if (options.cluster.bootstrap.empty())
        throw std::runtime_error(
            "no Kafka is named: give --kafka host:port, or run `adtally all`, which needs none");
    options.cluster.properties = properties(settings);
    options.topics = {{"ad-events", partitions},
                      {"ad-metrics", partitions},
                      {"ad-anomalies", partitions},
                      {"ad-events-dlt", partitions},
                      {"ad-catalog", 1, true}};
    options.create_topics = settings.text("kafka.create-topics") == "yes";
    options.group = settings.text("kafka.group");
    options.instance = settings.text("kafka.instance");
    options.append_deadline = Milliseconds{settings.integer("kafka.append-deadline-ms")};
    options.linger = Milliseconds{settings.integer("kafka.linger-ms")};
    if (!of_collector)
        options.linger = std::max(options.linger, processor_linger);
    options.session_timeout = Milliseconds{settings.integer("kafka.session-timeout-ms")};
    options.heartbeat = options.session_timeout / 3;
    options.max_bytes_in_flight =
        static_cast<std::size_t>(settings.integer("eventlog.max-bytes-in-flight"));
    return eventlog::kafka::open_kafka_log(std::move(options));
}

std::unique_ptr<eventlog::RocksDbLog> open_spool(eventlog::EventLog& kafka,
                                                 const config::Settings& settings,
                                                 const ClusterStack::Spool& spool) {
    eventlog::RocksDbLogOptions store;
    store.directory = spool.directory;
    store.topics = {{.name = spooled_topic, .keep_forever = true}};
    store.max_record_bytes = kafka.producer().max_record_bytes();
    store.max_bytes_in_flight =
        static_cast<std::size_t>(settings.integer("eventlog.max-bytes-in-flight"));
    store.min_free_disk_bytes =
        static_cast<std::uint64_t>(settings.integer("eventlog.min-free-disk-bytes"));
    return eventlog::open_rocksdb_log(store, spool.clock, spool.crash_points);
}

eventlog::SpoolOptions spool_options(const config::Settings& settings) {
    eventlog::SpoolOptions options;
    options.topic = spooled_topic;
    options.max_records = static_cast<std::uint64_t>(settings.integer("spool.max-events"));
    options.on_event = [logger = observability::Logger("spool")](std::string_view event,
                                                                 std::string_view detail) {
        logger.warn(event, {{"detail", detail}});
    };
    return options;
}

}  // namespace

ClusterStack::ClusterStack(const config::Settings& settings, const Spool* spool)
    : redis_(client_options(settings)), log_(open_log(settings, spool != nullptr)) {
    if (spool == nullptr)
        return;
    auto store = open_spool(*log_, settings, *spool);
    spool_id_ = store->topic(spooled_topic).value().log_id;
    auto spooling = eventlog::open_spooling_log(std::move(log_), std::move(store),
                                                spool_options(settings), spool->clock);
    spool_ = spooling.get();
    log_ = std::move(spooling);
}

ClusterStack::~ClusterStack() {
    log_->close();
}

observability::ComponentHealth ClusterStack::redis_health() const {
    observability::ComponentHealth health;
    health.details.emplace_back("address", redis::to_string(redis_.endpoint));
    return health;
}

}  // namespace adtally::app
