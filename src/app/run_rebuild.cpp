#include "app/run_rebuild.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <utility>

#include "app/cluster_stack.hpp"
#include "app/configuration.hpp"
#include "app/embedded_stack.hpp"
#include "app/logs.hpp"
#include "app/processor_service.hpp"
#include "app/stop_signal.hpp"
#include "base/clock.hpp"
#include "pipeline/processor/rebuild/comparison.hpp"

namespace adtally::app {
namespace {

rebuild::Scope scope_of(const RebuildOptions& options) {
    rebuild::Scope scope;
    if (options.ad > 0)
        scope.ad = options.ad;
    if (!options.day.empty()) {
        scope.day = domain::parse_day(options.day);
        if (!scope.day)
            throw std::runtime_error("--day must be a date such as 2024-01-15");
    }
    return scope;
}

rebuild::RecountOptions recount_options(const config::Settings& settings) {
    rebuild::RecountOptions options;
    options.dedup_window = std::chrono::seconds(settings.integer("processor.dedup-window-s"));
    const std::string& zone = settings.text("processor.reporting-zone");
    const auto known = domain::ReportingZone::from_name(zone);
    if (!known)
        throw std::runtime_error("unknown reporting time zone '" + zone + "'");
    options.zone = *known;
    if (::isatty(STDERR_FILENO) == 1)
        options.on_progress = [](std::int64_t done, std::int64_t all) {
            std::cerr << fmt::format("\r{} of {} records counted again ", done, all);
        };
    return options;
}

int tell(const rebuild::ComparisonReport& report, const rebuild::Recount& recount,
         const RebuildOptions& options) {
    if (report.differences > static_cast<std::int64_t>(options.show))
        std::cout << fmt::format("… and {} more\n",
                                 report.differences - static_cast<std::int64_t>(options.show));
    std::cout << fmt::format("{} records counted again, {} counters compared, {} differ",
                             recount.records(), report.counters, report.differences);
    if (options.apply)
        std::cout << fmt::format(", {} corrected", report.corrected);
    std::cout << "\n";
    if (report.unpriced > 0)
        std::cout << fmt::format(
            "{} costs differ that bids may have made, which have changed since: "
            "left alone, --reprice corrects them too\n",
            report.unpriced);
    if (!report.shadow_key.empty() && !options.apply)
        std::cout << fmt::format(
            "What they should be stands in the Redis hash {} for an hour; "
            "--apply corrects them\n",
            report.shadow_key);
    return report.corrected == report.differences ? 0 : 1;
}

int compare(const Configuration& configuration, eventlog::EventLog& log,
            const redis::ClientOptions& redis, const Clock& clock, const RebuildOptions& options) {
    redis::Client client(redis);
    rebuild::RecountOptions recounting = recount_options(configuration.current());
    rebuild::ComparisonOptions comparing;
    comparing.rules = counting_rules(configuration.current());
    rebuild::Recount recount(log, scope_of(options), std::move(recounting));
    comparing.apply = options.apply;
    comparing.reprice = options.reprice;
    std::size_t shown = 0;
    comparing.on_difference = [&](const rebuild::Difference& each) {
        if (shown++ < options.show)
            std::cout << fmt::format("{:<60} Redis {:>12}  log {:>12}  {:+}\n", each.key,
                                     each.stored, each.recounted, each.recounted - each.stored);
    };
    const auto report = rebuild::Comparison(client, recount, clock, std::move(comparing)).run();
    if (!report)
        throw std::runtime_error(report.error().message);
    return tell(report.value(), recount, options);
}

}  // namespace

int run_rebuild(const LaunchOptions& launch, const RebuildOptions& options) {
    (void)scope_of(options);  // before anything is opened
    LaunchOptions quiet = launch;
    quiet.overrides.insert(quiet.overrides.begin(), "log.level=error");
    Configuration configuration(quiet);
    configure_logs(configuration);
    const SystemClock clock;
    CrashPoints crash_points(CrashPoint::none, 0);
    if (!configuration.current().text("kafka.bootstrap-servers").empty()) {
        ClusterStack stack(configuration.current());
        return compare(configuration, stack.log(), stack.redis(), clock, options);
    }
    if (!std::filesystem::exists(launch.data_directory))
        throw std::runtime_error("there is no data directory " + launch.data_directory.string() +
                                 ": --data-dir names it, or --kafka the brokers");
    block_signals();  // Redis is ours: it must be ended by us
    EmbeddedStack stack(configuration.current(), launch, clock, crash_points);
    return compare(configuration, stack.log(), stack.redis(), clock, options);
}

}  // namespace adtally::app
