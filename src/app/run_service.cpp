#include "app/run_service.hpp"

#include "app/cluster_stack.hpp"
#include "app/collector_service.hpp"
#include "app/configuration.hpp"
#include "app/logs.hpp"
#include "app/processor_service.hpp"
#include "app/stop_signal.hpp"
#include "base/clock.hpp"
#include "platform/observability/log.hpp"

namespace adtally::app {
namespace {

constexpr Milliseconds stop_within{20'000};

void serve_until_stopped(Configuration& configuration, std::string_view service,
                         std::uint16_t port) {
    observability::Logger logger("adtally");
    logger.info("adtally is ready", {{"service", service}, {"port", std::int64_t{port}}});
    wait_for_stop([&configuration] { (void)configuration.reload(); });
    logger.info("stopping");
}

}  // namespace

int run_collector(const LaunchOptions& launch) {
    block_signals();
    Configuration configuration(launch);
    configure_logs(configuration);
    SystemClock clock;
    CrashPoints crash_points(launch.crash_at, launch.crash_countdown);
    ClusterStack::Spool spool{launch.data_directory / "spool", clock, crash_points};
    ClusterStack stack(configuration.current(), &spool);
    CollectorService collector(launch,
                               {configuration, stack.log(), stack.redis(), clock, stack.spool()});
    collector.start();
    serve_until_stopped(configuration, "data-collector", collector.port());
    collector.stop(Deadline::after(stop_within));
    stack.close_log();
    return 0;
}

int run_processor(const LaunchOptions& launch) {
    block_signals();
    Configuration configuration(launch);
    configure_logs(configuration);
    SystemClock clock;
    CrashPoints crash_points(launch.crash_at, launch.crash_countdown);
    ClusterStack stack(configuration.current());
    ProcessorService processor(
        launch,
        {configuration, stack.log(), stack.redis(), [&stack] { return stack.redis_health(); },
         // The collectors are other processes; what they accepted is what the log holds.
         [&stack] {
             return metrics_api::Intake{records_in(stack.log()), 0};
         },
         clock, crash_points});
    processor.start();
    serve_until_stopped(configuration, "data-processor", processor.port());
    processor.stop(Deadline::after(stop_within));
    stack.close_log();
    return 0;
}

}  // namespace adtally::app
