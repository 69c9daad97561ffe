#include "app/demo/demo.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "app/demo/snapshot.hpp"
#include "app/demo/table.hpp"
#include "app/demo/traffic.hpp"
#include "app/replay/replay.hpp"
#include "app/replay/sender.hpp"
#include "platform/http/client.hpp"

namespace adtally::demo {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Milliseconds traffic_tick{50};
constexpr Milliseconds refresh{500};
constexpr Milliseconds plain_refresh{5'000};
constexpr Milliseconds patience_at_start{30'000};

// Waits for a moment or for the stop, whichever comes first; false on stop.
class Pause {
public:
    bool until(SteadyTime moment, const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        never_.wait_until(lock, stop, moment, [] { return false; });
        return !stop.stop_requested();
    }

private:
    std::mutex mutex_;
    std::condition_variable_any never_;
};

std::uint64_t seed_of(const DemoOptions& options) {
    std::random_device system;
    return options.seed != 0 ? options.seed : (std::uint64_t{system()} << 32) ^ system();
}

// The traffic thread: the sample once, then the stream until the stop.
class Stream {
public:
    Stream(const DemoOptions& options, std::string run, std::stop_token stop)
        : options_(options), run_(std::move(run)), stop_(std::move(stop)) {
        thread_ = std::thread([this] { stream(); });
    }
    ~Stream() { thread_.join(); }

private:
    void stream() {
        replay_sample();
        replay::Statistics statistics;
        replay::SenderOptions sending;
        sending.url = options_.collector_url + "/api/events/batch";
        sending.request_timeout = Milliseconds{5'000};
        sending.retry_at_most = Milliseconds{1'000};
        sending.give_up_after = Milliseconds{24 * 3'600'000};
        replay::Sender sender{sending, statistics, replay::make_http_transport};
        std::stop_callback ended{stop_, [&sender] { sender.abandon(); }};
        Traffic traffic{seed_of(options_), run_, options_.events_per_second};
        Pause pause;
        SystemClock clock;
        SteadyTime next = clock.steady();
        while (pause.until(next, stop_)) {
            replay::Batch batch;
            batch.events = traffic.advance(clock.wall(), batch.body);
            if (batch.events > 0) {
                statistics.events_read(batch.events);
                sender.submit(std::move(batch));
            }
            next = std::max(next + traffic_tick, clock.steady());
        }
    }

    void replay_sample() {
        std::string file = options_.sample_file.empty() ? find_sample() : options_.sample_file;
        if (file.empty()) {
            fmt::print(stderr, "No sample found (deploy/sample/events.ndjson): starting empty\n");
            return;
        }
        replay::ReplayOptions sample;
        sample.files = {file};
        sample.url = options_.collector_url;
        sample.time_shift_now = true;
        sample.event_id_prefix = run_;
        auto result = replay::replay(sample, stop_);
        if (!result) {
            fmt::print(stderr, "The sample was not replayed: {}\n", result.error().message);
        }
    }

    const DemoOptions& options_;
    std::string run_;
    std::stop_token stop_;
    std::thread thread_;
};

class Api {
public:
    explicit Api(std::string url) : url_(std::move(url)) {}

    // Replaces what could be read; says what could not.
    Status read(Snapshot& into) {
        ADTALLY_TRY(auto status, get("/api/pipeline/status"));
        ADTALLY_TRY(into.pipeline, parse_status(status));
        ADTALLY_TRY(auto top, get("/api/metrics/top?by=impressions&limit=12"));
        ADTALLY_TRY(into.ads, parse_top(top));
        ADTALLY_TRY(auto anomalies, get("/api/anomalies?limit=5"));
        ADTALLY_TRY(into.anomalies, parse_anomalies(anomalies));
        return ok();
    }

private:
    Result<std::string> get(std::string_view path) {
        http::ClientRequest request;
        request.url = url_ + std::string(path);
        request.timeout = Milliseconds{2'000};
        ADTALLY_TRY(auto response, client_.send(request));
        if (response.status != 200) {
            return Error{
                ErrorCode::unavailable,
                fmt::format("{} answers {}", path.substr(0, path.find('?')), response.status)};
        }
        return std::move(response.body);
    }

    std::string url_;
    http::Client client_;
};

// Draws over the previous table on a terminal, prints one table after the other elsewhere.
class Screen {
public:
    explicit Screen(const DemoOptions& options)
        : terminal_(::isatty(STDOUT_FILENO) == 1),
          hint_(render_hint(options.collector_url, options.redis_port)) {
        if (terminal_) {
            fmt::print("\x1b[?25l\x1b[2J");
        } else {
            print_lines(hint_, "\n");
        }
    }
    ~Screen() {
        if (terminal_) {
            fmt::print("\x1b[?25h");
        }
        std::fflush(stdout);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    bool terminal() const { return terminal_; }

    void draw(const Snapshot& snapshot, const Heading& heading) {
        std::vector<std::string> lines = render_table(snapshot, heading);
        if (terminal_) {
            lines.emplace_back();
            lines.insert(lines.end(), hint_.begin(), hint_.end());
            fmt::print("\x1b[H");
            print_lines(lines, "\x1b[K\n");
            fmt::print("\x1b[J");
        } else {
            lines.emplace_back();
            print_lines(lines, "\n");
        }
        std::fflush(stdout);
    }

private:
    static void print_lines(const std::vector<std::string>& lines, std::string_view end) {
        for (const std::string& line : lines) {
            fmt::print("{}{}", line, end);
        }
    }

    bool terminal_;
    std::vector<std::string> hint_;
};

// Events a second between two readings, smoothed over about three.
class Rate {
public:
    double next(std::int64_t counted, SteadyTime now) {
        if (read_before_) {
            double span = Seconds(now - then_).count();
            double current = span > 0 ? static_cast<double>(counted - before_) / span : 0;
            value_ = value_ * 0.6 + current * 0.4;
        }
        read_before_ = true;
        before_ = counted;
        then_ = now;
        return value_ < 0 ? 0 : value_;
    }

private:
    bool read_before_ = false;
    std::int64_t before_ = 0;
    SteadyTime then_{};
    double value_ = 0;
};

}  // namespace

std::string find_sample() {
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<fs::path> roots{fs::current_path(error)};
    for (fs::path at = fs::read_symlink("/proc/self/exe", error); at.has_relative_path();) {
        at = at.parent_path();
        roots.push_back(at);
    }
    for (const fs::path& root : roots) {
        for (const char* place :
             {"deploy/sample/events.ndjson", "share/adtally/sample/events.ndjson"}) {
            if (fs::is_regular_file(root / place, error)) {
                return (root / place).string();
            }
        }
    }
    return {};
}

int run_demo(const DemoOptions& options, std::stop_token stop) {
    std::string run = fmt::format("dm{:08x}-", std::random_device{}());
    std::stop_source end_stream;  // ends the traffic when the table ends for a reason of its own
    std::stop_callback forward{stop, [&end_stream] { end_stream.request_stop(); }};
    Screen screen{options};
    Api api{options.processor_url};
    Snapshot snapshot;
    Rate rate;
    Pause pause;
    SystemClock clock;
    SteadyTime start = clock.steady();
    bool ever_read = false;
    Stream stream{options, run, end_stream.get_token()};
    Milliseconds interval = screen.terminal() ? refresh : plain_refresh;
    for (SteadyTime next = start + refresh; pause.until(next, stop); next += interval) {
        Heading heading;
        Status status = api.read(snapshot);
        ever_read = ever_read || status.has_value();
        heading.trouble = status ? "" : status.error().message;
        SteadyTime now = clock.steady();
        if (!ever_read && now - start > patience_at_start) {
            fmt::print(stderr, "The processor does not answer: {}\n", heading.trouble);
            end_stream.request_stop();
            return 1;
        }
        heading.seconds_up = Seconds(now - start).count();
        heading.events_per_second = rate.next(snapshot.pipeline.counted, now);
        screen.draw(snapshot, heading);
        next = std::max(next, now - interval);
    }
    end_stream.request_stop();
    return 0;
}

}  // namespace adtally::demo
