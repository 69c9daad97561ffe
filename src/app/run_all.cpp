#include "app/run_all.hpp"

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "app/collector_service.hpp"
#include "app/configuration.hpp"
#include "app/demo/demo.hpp"
#include "app/embedded_stack.hpp"
#include "app/logs.hpp"
#include "app/processor_service.hpp"
#include "app/stop_signal.hpp"
#include "platform/observability/log.hpp"

namespace adtally::app {
namespace {

// Of which the HTTP servers get the most; what is left ends the log and Redis.
constexpr Milliseconds stop_within{20'000};

// `while_running` starts when everything answers and returns what is to happen at the stop.
using WhileRunning = std::function<std::jthread(const CollectorService&, const ProcessorService&,
                                                const EmbeddedStack&)>;

int run_services(const LaunchOptions& launch, const WhileRunning& while_running) {
    block_signals();
    Configuration configuration(launch);
    configure_logs(configuration);
    observability::Logger logger("adtally");
    SystemClock clock;
    CrashPoints crash_points(launch.crash_at, launch.crash_countdown);

    EmbeddedStack stack(configuration.current(), launch, clock, crash_points);
    // What lay in the log at the start was accepted by an earlier run.
    std::int64_t accepted_before = records_in(stack.log());
    CollectorService collector(launch, {configuration, stack.log(), stack.redis(), clock});
    auto intake = [&collector, accepted_before](redis::Client&) -> Result<metrics_api::Intake> {
        collector::CollectorBooks books = collector.books();
        return metrics_api::Intake{accepted_before + static_cast<std::int64_t>(books.appended),
                                   static_cast<std::int64_t>(books.rejected), 0};
    };
    ProcessorService processor(launch, {configuration, stack.log(), stack.redis(),
                                        [&stack] { return stack.redis_health(); }, intake, clock,
                                        crash_points, "embedded"});
    // From the sink to the source; stopped the other way round.
    processor.start();
    collector.start();
    logger.info("adtally is ready", {{"collectorPort", std::int64_t{collector.port()}},
                                     {"processorPort", std::int64_t{processor.port()}},
                                     {"redis", redis::to_string(stack.redis().endpoint)}});
    {
        std::jthread beside = while_running(collector, processor, stack);
        wait_for_stop([&configuration] { (void)configuration.reload(); });
        logger.info("stopping");
    }
    Deadline deadline = Deadline::after(stop_within);
    collector.stop(deadline);
    processor.stop(deadline);
    stack.close_log();
    logger.info("stopped");
    return 0;
}

}  // namespace

int run_all(const LaunchOptions& launch) {
    return run_services(launch, [](const CollectorService&, const ProcessorService&,
                                   const EmbeddedStack&) { return std::jthread{}; });
}

int run_demo(const LaunchOptions& launch) {
    LaunchOptions quiet = launch;
    // The terminal belongs to the table.
    quiet.overrides.insert(quiet.overrides.begin(), "log.level=error");
    auto url = [](std::uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); };
    return run_services(quiet,
                        [&url](const CollectorService& collector, const ProcessorService& processor,
                               const EmbeddedStack& stack) {
                            demo::DemoOptions options;
                            options.collector_url = url(collector.port());
                            options.processor_url = url(processor.port());
                            options.redis_port = std::to_string(stack.redis().endpoint.port);
                            return std::jthread([options](std::stop_token stop) {
                                demo::run_demo(options, stop);
                                // When it ended by itself; a second signal would kill the first.
                                if (!stop.stop_requested())
                                    request_stop();
                            });
                        });
}

}  // namespace adtally::app
