#include "app/run_service.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <string>

#include "app/cluster_stack.hpp"
#include "app/collector_service.hpp"
#include "app/configuration.hpp"
#include "app/logs.hpp"
#include "app/processor_service.hpp"
#include "app/stop_signal.hpp"
#include "base/clock.hpp"
#include "pipeline/processor/operations/event_keys.hpp"
#include "platform/observability/log.hpp"

namespace adtally::app {
namespace {

constexpr Milliseconds stop_within{20'000};

// What a process has before its service, whichever that is.
struct Process {
    explicit Process(const LaunchOptions& launch)
        : configuration(launch), crash_points(launch.crash_at, launch.crash_countdown) {
        block_signals();  // before the first thread
        configure_logs(configuration);
    }

    Configuration configuration;
    SystemClock clock;
    CrashPoints crash_points;
};

std::string host_name() {
    char name[HOST_NAME_MAX + 1] = {};
    return ::gethostname(name, HOST_NAME_MAX) == 0 ? name : "localhost";
}

template <class Service, class LogClosed>
int serve(Process& process, ClusterStack& stack, Service& service, std::string_view name,
          LogClosed log_closed) {
    observability::Logger logger("adtally");
    service.start();
    logger.info("adtally is ready", {{"service", name}, {"port", std::int64_t{service.port()}}});
    wait_for_stop([&process] { (void)process.configuration.reload(); });
    logger.info("stopping");
    service.stop(Deadline::after(stop_within));
    stack.close_log();
    log_closed();
    return 0;
}

}  // namespace

int run_collector(const LaunchOptions& launch) {
    Process process(launch);
    ClusterStack::Spool spool{launch.data_directory / "spool", process.clock, process.crash_points};
    ClusterStack stack(process.configuration.current(), &spool);
    const std::string address = fmt::format(
        "{}:{}", host_name(), port_of(process.configuration.current(), "collector.port", launch));
    CollectorService collector(
        launch, {process.configuration,
                 stack.log(),
                 stack.redis(),
                 process.clock,
                 stack.spool(),
                 {{"content-type", "application/json"}, {operations::collector_header, address}},
                 address,
                 stack.spool_id(),
                 intake_key()});
    return serve(process, stack, collector, "data-collector", [&] { collector.log_closed(); });
}

int run_processor(const LaunchOptions& launch) {
    Process process(launch);
    ClusterStack stack(process.configuration.current());
    ProcessorService processor(
        launch,
        {process.configuration, stack.log(), stack.redis(),
         [&stack] { return stack.redis_health(); },
         [](redis::Client& client) {
             return metrics_api::read_reported_intake(client, intake_key());
         },
         process.clock, process.crash_points, host_name() + ":" + std::to_string(::getpid())});
    return serve(process, stack, processor, "data-processor", [] {});
}

}  // namespace adtally::app
