// adtally-load: sends events at a constant rate and says what came of it.
//
//     adtally-load --url http://127.0.0.1:8085 --rate 10000 --duration 60
//                  --redis 127.0.0.1:6379 --pid adtally=4711 --json result.json
//
// Exit code: 0 when every request was answered 2xx, 1 when not, 2 for wrong usage.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <pthread.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "load/cpu.hpp"
#include "load/engine.hpp"
#include "load/report.hpp"
#include "load/requests.hpp"
#include "load/visibility.hpp"

namespace {

using namespace adtally;
using namespace adtally::load;

struct Options {
    std::string url = "http://127.0.0.1:8085";
    std::string path;
    double per_second = 1'000;
    double duration = 10;
    double warmup = 2;
    std::size_t batch = 1;
    std::size_t connections = 64;
    std::size_t ads = 1'000;
    std::string distribution = "zipf";
    bool closed = false;
    std::uint64_t requests = 0;
    std::int64_t tick_us = 250;
    std::vector<std::string> processes;
    std::string redis;
    std::string json_file;
    std::uint64_t seed = 0;
};

struct Target {
    std::string authority;
    sockaddr_in address{};
};

std::optional<Target> resolve(const std::string& url) {
    constexpr std::string_view scheme = "http://";
    if (!url.starts_with(scheme)) {
        return std::nullopt;
    }
    Target target;
    target.authority = url.substr(scheme.size());
    target.authority = target.authority.substr(0, target.authority.find('/'));
    std::size_t colon = target.authority.rfind(':');
    std::string host = target.authority.substr(0, colon);
    std::string port = colon == std::string::npos ? "80" : target.authority.substr(colon + 1);
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    target.address = *reinterpret_cast<const sockaddr_in*>(found->ai_addr);
    ::freeaddrinfo(found);
    return target;
}

void describe(CLI::App& app, Options& options) {
    app.add_option("--url", options.url, "the collector")->capture_default_str();
    app.add_option("--path", options.path,
                   "where to post; default /api/events, or /api/events/batch with --batch");
    app.add_option("--rate", options.per_second, "requests a second, open loop")
        ->check(CLI::Range(0.001, 1e7))
        ->capture_default_str();
    app.add_flag("--closed", options.closed,
                 "closed loop instead: each connection always has a request under way");
    app.add_option("--duration", options.duration, "seconds that are measured")
        ->check(CLI::Range(0.0, 86'400.0))
        ->capture_default_str();
    app.add_option("--warmup", options.warmup, "seconds before them")
        ->check(CLI::Range(0.0, 3'600.0))
        ->capture_default_str();
    app.add_option("--requests", options.requests, "stop after so many measured requests");
    app.add_option("--tick-us", options.tick_us,
                   "open loop: sends and reads in rounds this far apart, to save CPU")
        ->check(CLI::Range(0, 100'000))
        ->capture_default_str();
    app.add_option("--batch", options.batch, "events a request")
        ->check(CLI::Range(1, 5'000))
        ->capture_default_str();
    app.add_option("--connections", options.connections, "kept alive")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    app.add_option("--ads", options.ads, "distinct ad ids")
        ->check(CLI::Range(1, 16'384))
        ->capture_default_str();
    app.add_option("--distribution", options.distribution, "of events over ads")
        ->check(CLI::IsMember({"zipf", "uniform"}))
        ->capture_default_str();
    app.add_option("--pid", options.processes, "name=PID: measure that process's CPU; repeatable");
    app.add_option("--redis", options.redis, "host:port: measure the time until visible there");
    app.add_option("--json", options.json_file, "write the result there as well");
    app.add_option("--seed", options.seed, "of types and ads; ids differ in every run");
}

struct Process {
    std::string name;
    pid_t id = 0;
    CpuSample before;
};

// Samples all processes and this one; a process that is gone is an error at the start only.
class Processes {
public:
    Status add(const std::string& option) {
        std::size_t equals = option.find('=');
        Process process;
        process.name = option.substr(0, equals);
        try {
            process.id = std::stoi(option.substr(equals == std::string::npos ? 0 : equals + 1));
        } catch (const std::exception&) {
            return Error{ErrorCode::invalid_argument, "--pid wants name=PID, not " + option};
        }
        ADTALLY_TRY(process.before, sample_cpu(process.id));
        processes_.push_back(std::move(process));
        return ok();
    }
    void begin() {
        for (Process& process : processes_) {
            if (auto now = sample_cpu(process.id)) {
                process.before = std::move(now.value());
            }
        }
    }
    void end(Report& report) const {
        for (const Process& process : processes_) {
            if (auto now = sample_cpu(process.id)) {
                report.cpu[process.name] = usage_between(process.before, now.value());
            } else {
                fmt::print(stderr, "process {} is gone\n", process.name);
            }
        }
    }

private:
    std::vector<Process> processes_;
};

int wrong_usage(const std::string& message) {
    fmt::print(stderr, "adtally-load: {}\n", message);
    return 2;
}

int measure(const Options& options, const Target& target, Processes& processes,
            const std::optional<redis::Endpoint>& redis) {
    std::string path = !options.path.empty() ? options.path
                       : options.batch > 1   ? "/api/events/batch"
                                             : "/api/events";
    Requests requests{RequestOptions{
        .host = target.authority,
        .path = path,
        .batch = options.batch,
        .ads = options.ads,
        .distribution = options.distribution == "zipf" ? Distribution::zipf : Distribution::uniform,
        .seed = options.seed != 0 ? options.seed : std::random_device{}(),
        .run = std::random_device{}()}};
    std::optional<Visibility> visibility;
    if (redis) {
        visibility.emplace("http://" + target.authority, *redis);
    }
    Report report;
    EngineOptions engine_options;
    engine_options.server = target.address;
    engine_options.per_second = options.per_second;
    engine_options.closed = options.closed;
    engine_options.warmup = std::chrono::duration<double>{options.warmup};
    engine_options.duration = std::chrono::duration<double>{options.duration};
    engine_options.most_requests = options.requests;
    engine_options.connections = options.connections;
    engine_options.batch = options.batch;
    engine_options.tick = std::chrono::microseconds{options.tick_us};
    engine_options.measuring_begins = [&processes, &visibility] {
        processes.begin();
        if (visibility) {
            visibility->restart();
        }
    };
    engine_options.measuring_ends = [&processes, &report] { processes.end(report); };
    Engine engine{engine_options, requests};
    auto result = engine.run();
    if (!result) {
        fmt::print(stderr, "adtally-load: {}: {}\n", options.url, result.error().message);
        return 1;
    }
    report.url = "http://" + target.authority + path;
    report.closed = options.closed;
    report.asked_per_second = options.per_second;
    report.batch = options.batch;
    report.connections = options.connections;
    report.request_bytes = requests.typical_size();
    report.engine = std::move(result.value());
    if (visibility) {
        report.visibility = visibility->finish();
    }
    fmt::print("{}", to_text(report));
    if (!options.json_file.empty()) {
        std::ofstream{options.json_file} << to_json(report) << '\n';
    }
    bool clean = report.engine.error_count() == 0 && report.engine.rejected_events == 0;
    return clean ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Sends advertising events at a constant rate and measures what comes of it.",
                 "adtally-load"};
    describe(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    ::pthread_setname_np(::pthread_self(), "load");
    auto target = resolve(options.url);
    if (!target) {
        return wrong_usage("--url wants http://host:port of an IPv4 address, not " + options.url);
    }
    Processes processes;
    options.processes.push_back("load=" + std::to_string(::getpid()));
    for (const std::string& one : options.processes) {
        if (auto added = processes.add(one); !added) {
            return wrong_usage(added.error().message);
        }
    }
    std::optional<redis::Endpoint> redis;
    if (!options.redis.empty()) {
        auto parsed = redis::parse_endpoint("redis://" + options.redis);
        if (!parsed) {
            return wrong_usage(parsed.error().message);
        }
        redis = std::move(parsed.value());
    }
    return measure(options, *target, processes, redis);
}
