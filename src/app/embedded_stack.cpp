#include "app/embedded_stack.hpp"

#include <stdexcept>
#include <utility>

#include "app/stop_signal.hpp"
#include "platform/eventlog/rocksdb_log.hpp"
#include "platform/observability/log.hpp"

namespace adtally::app {
namespace {

// A predecessor that was killed takes its Redis a moment to end.
constexpr Milliseconds lock_patience{10'000};

std::unique_ptr<redis::Supervisor> start_redis(const config::Settings& settings,
                                               const LaunchOptions& launch,
                                               const DataDirectory& directory) {
    if (!settings.text("redis.url").empty())
        return nullptr;
    redis::SupervisorOptions options;
    options.directory = directory.redis();
    options.port = port_of(settings, "redis.port", launch);
    options.lock_descriptor = directory.lock_descriptor();
    options.abandon = stop_is_pending;
    options.on_event = [logger = observability::Logger("redis")](std::string_view event,
                                                                 std::string_view detail) {
        // It may take long: also who logs little should know what is waited for.
        if (event == "redis_loading")
            logger.warn(event, {{"detail", detail}});
        else
            logger.info(event, {{"detail", detail}});
    };
    return std::make_unique<redis::Supervisor>(std::move(options));
}

redis::ClientOptions client_options(const config::Settings& settings,
                                    const redis::Supervisor* supervisor) {
    redis::ClientOptions options;
    if (supervisor != nullptr) {
        options.endpoint = supervisor->endpoint();
        return options;
    }
    auto endpoint = redis::parse_endpoint(settings.text("redis.url"));
    if (!endpoint)
        throw std::runtime_error("redis.url: " + endpoint.error().message);
    options.endpoint = endpoint.value();
    return options;
}

std::unique_ptr<eventlog::EventLog> open_log(const config::Settings& settings,
                                             const DataDirectory& directory, const Clock& clock,
                                             CrashPoints& crash_points) {
    if (settings.integer("processor.workers") > 1)
        throw std::runtime_error(
            "processor.workers: one worker has all partitions of the embedded log; leave it at 1, "
            "or run `adtally processor` on Kafka");
    auto partitions = static_cast<std::int32_t>(settings.integer("eventlog.partitions"));
    eventlog::RocksDbLogOptions options;
    options.directory = directory.event_log();
    options.topics = {{"ad-events", partitions},
                      {"ad-events-dlt", partitions},
                      {"ad-metrics", partitions},
                      {"ad-anomalies", partitions},
                      {.name = "ad-catalog", .keep_forever = true}};
    options.commit_linger = Milliseconds{settings.integer("eventlog.commit-linger-ms")};
    options.retention = std::chrono::hours(settings.integer("eventlog.retention-hours"));
    options.max_bytes_in_flight =
        static_cast<std::size_t>(settings.integer("eventlog.max-bytes-in-flight"));
    options.min_free_disk_bytes =
        static_cast<std::uint64_t>(settings.integer("eventlog.min-free-disk-bytes"));
    return eventlog::open_rocksdb_log(options, clock, crash_points);
}

}  // namespace

EmbeddedStack::EmbeddedStack(const config::Settings& settings, const LaunchOptions& launch,
                             const Clock& clock, CrashPoints& crash_points)
    : directory_(launch.data_directory, lock_patience),
      supervisor_(start_redis(settings, launch, directory_)),
      redis_(client_options(settings, supervisor_.get())),
      log_(open_log(settings, directory_, clock, crash_points)) {}

EmbeddedStack::~EmbeddedStack() {
    log_->close();
}

observability::ComponentHealth EmbeddedStack::redis_health() const {
    observability::ComponentHealth health;
    health.details.emplace_back("address", redis::to_string(redis_.endpoint));
    if (supervisor_ == nullptr)
        return health;
    redis::SupervisorHealth now = supervisor_->health();
    health.details.emplace_back("pid", std::to_string(now.pid));
    health.details.emplace_back("restarts", std::to_string(now.restarts));
    if (!now.up) {
        health.status = observability::HealthStatus::down;
        health.details.emplace_back("error", now.reason);
    }
    return health;
}

}  // namespace adtally::app
