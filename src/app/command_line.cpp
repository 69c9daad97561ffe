#include "app/command_line.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

#include "app/configuration.hpp"
#include "app/dlt/dlt.hpp"
#include "app/launch_options.hpp"
#include "app/replay/replay.hpp"
#include "app/run_all.hpp"
#include "app/run_rebuild.hpp"
#include "app/run_service.hpp"
#include "app/settings_schema.hpp"
#include "app/version.hpp"
#include "domain/validation.hpp"
#include "pipeline/collector/click_target.hpp"
#include "platform/redis/append_only_tail.hpp"
#include "platform/redis/supervisor.hpp"

namespace adtally::app {
namespace {

struct SignClick {
    std::string secret;
    std::string to;
    std::int64_t ad = 0;
    std::int64_t valid_hours = 24 * 30;
};

// What the words on the command line become.
struct Parsed {
    LaunchOptions launch;
    std::string redis_url;
    std::string kafka;
    std::string log_format;
    std::string crash_at;
    int workers = 0;  // 0: as the setting says
    replay::ReplayOptions replay;
    std::string replay_format = "ndjson";
    std::string replay_speed = "max";
    std::string replay_shift;
    bool describe = false;
    std::string redis_directory;
    bool redis_may_be_new = false;
    SignClick sign;
    dlt::DltOptions dlt;
    RebuildOptions rebuild;
};

// What is wrong with NAME[:N-th pass]; empty when it is right.
std::string check_crash_at(const std::string& text) {
    std::size_t colon = text.find(':');
    if (auto point = parse_crash_point(text.substr(0, colon)); !point)
        return point.error().message;
    if (colon == std::string::npos)
        return {};
    auto pass = domain::parse_decimal(text.substr(colon + 1));
    return pass && *pass > 0 ? "" : "the pass behind the colon must be an integer from 1";
}

std::string check_speed(const std::string& text) {
    char* end = nullptr;
    double speed = std::strtod(text.c_str(), &end);
    bool number = end != text.c_str() && *end == '\0' && std::isfinite(speed) && speed > 0;
    return number || text == "max" ? "" : "must be a number above 0, or max";
}

void add_launch_options(CLI::App& command, Parsed& into) {
    command.add_option("--config", into.launch.config_file, "YAML file with settings")
        ->check(CLI::ExistingFile);
    command.add_option("--set", into.launch.overrides,
                       "a setting, key=value; strongest; may be repeated");
    command
        .add_option("--data-dir", into.launch.data_directory, "where events and counts are kept")
        ->capture_default_str();
    command.add_option("--port-offset", into.launch.port_offset, "added to every port")
        ->check(CLI::Range(-10'000, 57'000))
        ->capture_default_str();
    command.add_option("--redis-url", into.redis_url,
                       "use this Redis instead of starting one: redis://host:port/db");
    command.add_option("--log", into.log_format, "json (default) or text")
        ->check(CLI::IsMember({"json", "text"}));
    command
        .add_option("--crash-at", into.crash_at,
                    "for tests: end as by kill -9 at this point, NAME[:N-th pass]")
        ->check(check_crash_at);
}

void add_cluster_options(CLI::App& command, Parsed& into) {
    add_launch_options(command, into);
    command.add_option("--kafka", into.kafka, "brokers of the Kafka to use: host:port,…");
}

void add_replay_options(CLI::App& command, Parsed& into) {
    command.add_option("files", into.replay.files, "files to send, in order")
        ->required()
        ->check(CLI::ExistingFile);
    command.add_option("--format", into.replay_format, "ndjson, ipinyou or openbandit")
        ->check(CLI::IsMember({"ndjson", "ipinyou", "openbandit"}))
        ->capture_default_str();
    command.add_option("--url", into.replay.url, "the collector")->capture_default_str();
    command
        .add_option("--speed", into.replay_speed,
                    "times as fast as it happened, or max: as fast as it is acknowledged")
        ->check(check_speed)
        ->capture_default_str();
    command
        .add_option("--time-shift", into.replay_shift,
                    "now: moves all times so that the latest is now")
        ->check(CLI::IsMember({"now"}));
    command.add_option("--batch", into.replay.batch, "events a request")->capture_default_str();
    command
        .add_option("--connections", into.replay.connections,
                    "requests at once; above 1 the order of events is not kept")
        ->capture_default_str();
    command.add_flag("--reverse", into.replay.reverse, "each file from its end");
    command.add_flag("--allow-rejected", into.replay.allow_rejected,
                     "exit with 0 though events were rejected");
}

LaunchOptions launch_of(const Parsed& parsed) {
    LaunchOptions launch = parsed.launch;
    if (!parsed.redis_url.empty())
        launch.overrides.push_back("redis.url=" + parsed.redis_url);
    if (!parsed.kafka.empty())
        launch.overrides.push_back("kafka.bootstrap-servers=" + parsed.kafka);
    if (!parsed.log_format.empty())
        launch.overrides.push_back("log.format=" + parsed.log_format);
    if (parsed.workers > 0)
        launch.overrides.push_back("processor.workers=" + std::to_string(parsed.workers));
    if (parsed.crash_at.empty())
        return launch;
    std::size_t colon = parsed.crash_at.find(':');
    auto point = parse_crash_point(parsed.crash_at.substr(0, colon));
    launch.crash_at = point ? point.value() : CrashPoint::none;
    if (colon != std::string::npos)
        launch.crash_countdown =
            domain::parse_decimal(parsed.crash_at.substr(colon + 1)).value_or(1);
    return launch;
}

int run_replay_command(Parsed& parsed) {
    auto format = replay::parse_format(parsed.replay_format);
    parsed.replay.format = format.value_or(replay::Format::ndjson);
    parsed.replay.time_shift_now = parsed.replay_shift == "now";
    if (parsed.replay_speed != "max")
        parsed.replay.speed = std::strtod(parsed.replay_speed.c_str(), nullptr);
    return replay::run_replay(parsed.replay);
}

int check_config(const Parsed& parsed) {
    if (parsed.describe) {
        std::cout << config::describe_schema(settings_schema());
        return 0;
    }
    Configuration configuration(launch_of(parsed));
    std::cout << configuration.current().describe();
    return 0;
}

int mend_redis(const std::string& directory, bool may_be_new) {
    if (may_be_new && !redis::append_only_file(directory)) {
        std::cout << directory << ": no append-only file yet\n";
        return 0;
    }
    const auto mended = redis::mend_append_only_file(directory);
    if (!mended)
        throw std::runtime_error(mended.error().message);
    std::cout << mended.value().file.string() << ": ";
    if (mended.value().cut_bytes > 0)
        std::cout << mended.value().cut_bytes << " bytes cut off that a torn write had left\n";
    else
        std::cout << "whole\n";
    return 0;
}

int sign_click(const SignClick& sign) {
    using std::chrono::duration_cast;
    auto now = std::chrono::system_clock::now().time_since_epoch();
    std::int64_t exp =
        duration_cast<std::chrono::seconds>(now + std::chrono::hours(sign.valid_hours)).count();
    std::cout << "ad_id=" << sign.ad << "&exp=" << exp << "&sig="
              << collector::sign_click_target(sign.secret, sign.to, domain::AdId{sign.ad}, exp)
              << "\n";
    return 0;
}

void add_sign_options(CLI::App& command, SignClick& into) {
    command.add_option("--secret", into.secret, "the collector's collector.click-secret")
        ->required();
    command.add_option("--to", into.to, "the target, not percent-encoded")->required();
    command.add_option("--ad", into.ad, "the ad's id")->required()->check(CLI::PositiveNumber);
    command.add_option("--hours", into.valid_hours, "for how long it is valid")
        ->capture_default_str();
}

void add_rebuild_options(CLI::App& command, RebuildOptions& into) {
    command.add_option("--ad", into.ad, "only this ad; absent: all, and the campaigns")
        ->check(CLI::PositiveNumber);
    command.add_option("--day", into.day, "only its hours and the day: 2024-01-15");
    command.add_flag("--apply", into.apply, "correct what differs");
    command.add_flag("--reprice", into.reprice,
                     "correct costs too though campaigns have bids, by the bids of now");
    command.add_option("--show", into.show, "differences that are printed")->capture_default_str();
}

struct DltCommands {
    CLI::App* list = nullptr;
    CLI::App* show = nullptr;
    CLI::App* redrive = nullptr;
};

void add_dlt_filter(CLI::App& command, dlt::DltOptions& into) {
    command.add_option("--reason", into.reason, "only those: malformed_json, missing_field, …");
    command.add_option("--from", into.from, "written at or after: 2024-01-15T14:00:00Z or ms");
    command.add_option("--to", into.to, "written before");
}

DltCommands add_dlt_commands(CLI::App& command, dlt::DltOptions& into) {
    command.require_subcommand(1);
    DltCommands added;
    added.list = command.add_subcommand("list", "the newest, with their reasons");
    added.show = command.add_subcommand("show", "one or several, whole");
    added.redrive = command.add_subcommand("redrive", "sends them to be counted again");
    for (CLI::App* each : {added.list, added.show, added.redrive})
        each->add_option("--url", into.url, "a processor")->capture_default_str();
    add_dlt_filter(*added.list, into);
    added.list->add_option("--limit", into.limit, "at most so many")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    added.list->add_flag("--json", into.as_json, "one object a line");
    added.show->add_option("ids", into.ids, "as list prints them: 3-17")->required();
    add_dlt_filter(*added.redrive, into);
    added.redrive->add_option("ids", into.ids, "these, instead of all that a filter names");
    added.redrive->add_flag("--all", into.all, "every one that was not redriven before");
    added.redrive->add_flag("--dry-run", into.dry_run, "only says how many it would be");
    added.redrive->add_flag("--force", into.force,
                            "also where it is unknown whether an earlier attempt arrived");
    return added;
}

int run_dlt(const DltCommands& commands, const dlt::DltOptions& options) {
    if (*commands.list)
        return dlt::list(options, std::cout, std::cerr);
    if (*commands.show)
        return dlt::show(options, std::cout, std::cerr);
    return dlt::redrive(options, std::cout, std::cerr);
}

}  // namespace

int run(int argc, char** argv) {
    CLI::App cli("adtally: exact, seconds-fresh advertising metrics");
    cli.set_version_flag("--version", version);
    cli.require_subcommand(1);
    Parsed parsed;
    auto* all = cli.add_subcommand("all", "every service in one process, on the embedded stack");
    add_launch_options(*all, parsed);
    auto* demo = cli.add_subcommand("demo", "all, with lifelike traffic and a live table");
    add_launch_options(*demo, parsed);
    auto* collector = cli.add_subcommand("collector", "the Data Collector alone, on Kafka");
    add_cluster_options(*collector, parsed);
    auto* processor = cli.add_subcommand("processor", "a Data Processor alone, on Kafka");
    add_cluster_options(*processor, parsed);
    processor
        ->add_option("--workers", parsed.workers,
                     "threads that count, each with partitions of its own")
        ->check(CLI::Range(1, 256));
    auto* replay = cli.add_subcommand("replay", "sends recorded events to a collector");
    add_replay_options(*replay, parsed);
    auto* letters = cli.add_subcommand("dlt", "dead letters: what could not be counted");
    const DltCommands dlt_commands = add_dlt_commands(*letters, parsed.dlt);
    auto* rebuild = cli.add_subcommand("rebuild", "counts the log again and compares");
    add_cluster_options(*rebuild, parsed);
    add_rebuild_options(*rebuild, parsed.rebuild);
    auto* check = cli.add_subcommand("check-config", "says all errors of the configuration");
    add_launch_options(*check, parsed);
    check->add_flag("--describe", parsed.describe, "prints every setting there is");
    auto* mend = cli.add_subcommand(
        "mend-redis", "of a stopped Redis: cuts off what a torn write left behind its last flush");
    mend->add_option("directory", parsed.redis_directory, "Redis' own, its `dir`")
        ->required()
        ->check(CLI::ExistingDirectory);
    mend->add_flag("--may-be-new", parsed.redis_may_be_new,
                   "exit with 0 though there is no append-only file: before a first start");
    auto* sign = cli.add_subcommand("sign-click", "signs the target of a click redirect");
    add_sign_options(*sign, parsed.sign);
    try {
        cli.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error) == 0 ? 0 : 2;
    }
    try {
        if (*all)
            return run_all(launch_of(parsed));
        if (*demo)
            return run_demo(launch_of(parsed));
    } catch (const redis::StartAbandoned& stopped) {
        std::cerr << "adtally: " << stopped.what() << "\n";
        return 0;
    }
    if (*collector)
        return run_collector(launch_of(parsed));
    if (*processor)
        return run_processor(launch_of(parsed));
    if (*replay)
        return run_replay_command(parsed);
    if (*rebuild)
        return run_rebuild(launch_of(parsed), parsed.rebuild);
    if (*letters)
        return run_dlt(dlt_commands, parsed.dlt);
    if (*check)
        return check_config(parsed);
    if (*mend)
        return mend_redis(parsed.redis_directory, parsed.redis_may_be_new);
    return sign_click(parsed.sign);
}

}  // namespace adtally::app
