#include "app/replay/replay.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "app/replay/feed.hpp"
#include "app/replay/interrupt.hpp"
#include "app/replay/sender.hpp"
#include "app/replay/statistics.hpp"

namespace adtally::replay {
namespace {

using Seconds = std::chrono::duration<double>;

Error wrong(std::string message) {
    return Error{ErrorCode::invalid_argument, std::move(message)};
}

Status check(const ReplayOptions& options) {
    if (options.files.empty()) {
        return wrong("name at least one file to replay");
    }
    if (options.batch < 1 || options.batch > 5'000) {
        return wrong("--batch must be from 1 to 5000");
    }
    if (options.connections < 1 || options.connections > 64) {
        return wrong("--connections must be from 1 to 64");
    }
    if (!std::isfinite(options.speed) || options.speed < 0) {
        return wrong("--speed must be a number above 0, or max");
    }
    if (options.reverse && options.speed > 0) {
        return wrong("--reverse has no pace; use it with --speed max");
    }
    return ok();
}

std::string endpoint(std::string url) {
    while (!url.empty() && url.back() == '/') {
        url.pop_back();
    }
    return url + "/api/events/batch";
}

std::string progress_line(const ReplayResult& now, double rate) {
    std::string line = fmt::format("{} read, {} accepted, {} rejected, {} retries, {:.0f} events/s",
                                   now.events, now.accepted, now.rejected, now.retries, rate);
    if (now.retries > 0 && rate == 0) {
        line += " (waiting: " + now.last_trouble + ")";
    }
    return line;
}

// One line that is rewritten each second on a terminal, a line every five seconds elsewhere.
void show_progress(const Statistics& statistics, std::stop_token stop) {
    bool terminal = ::isatty(STDERR_FILENO) == 1;
    std::chrono::seconds interval{terminal ? 1 : 5};
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    std::uint64_t before = 0;
    for (;;) {
        never.wait_for(lock, stop, interval, [] { return false; });
        if (stop.stop_requested()) {
            if (terminal && before > 0) {
                fmt::print(stderr, "\r\x1b[K");
            }
            return;
        }
        ReplayResult now = statistics.snapshot();
        double rate = static_cast<double>(now.accepted - before) / Seconds(interval).count();
        before = now.accepted;
        std::string line = progress_line(now, rate);
        terminal ? fmt::print(stderr, "\r{:.100}\x1b[K", line) : fmt::print(stderr, "{}\n", line);
        std::fflush(stderr);
    }
}

void print_summary(const ReplayResult& result) {
    double rate = result.seconds > 0 ? static_cast<double>(result.accepted) / result.seconds : 0;
    fmt::print(stderr, "accepted        {}\nrejected        {}\n", result.accepted,
               result.rejected);
    for (const auto& [code, kind] : result.rejected_by_code) {
        fmt::print(stderr, "  {:<20} {}, first: {}\n", code, kind.count, kind.example);
    }
    if (result.unacknowledged > 0) {
        fmt::print(stderr, "unacknowledged  {} (read, but not answered before the end)\n",
                   result.unacknowledged);
    }
    fmt::print(stderr, "retries         {}{}{}\n", result.retries,
               result.retries > 0 ? ", last: " : "", result.last_trouble);
    fmt::print(stderr, "duration        {:.2f} s, {:.0f} events/s\n", result.seconds, rate);
}

Result<ReplayResult> replay_with_progress(const ReplayOptions& options, std::stop_token stop) {
    ADTALLY_TRY(check(options));
    Statistics statistics;
    SenderOptions sending;
    sending.url = endpoint(options.url);
    sending.connections = options.connections;
    sending.request_timeout = options.request_timeout;
    sending.give_up_after = options.give_up_after;
    auto start = std::chrono::steady_clock::now();

    std::jthread progress;
    if (!options.quiet) {
        progress =
            std::jthread([&statistics](std::stop_token end) { show_progress(statistics, end); });
    }
    Sender sender{sending, statistics, make_http_transport};
    std::stop_callback interrupted{stop, [&sender] { sender.abandon(); }};
    Feed feed{options, statistics,
              [&sender](Batch batch) { return sender.submit(std::move(batch)); }};
    ADTALLY_TRY(feed.run(stop));
    sender.finish();

    ReplayResult result = statistics.snapshot();
    result.seconds = Seconds(std::chrono::steady_clock::now() - start).count();
    return result;
}

void announce(const ReplayOptions& options) {
    fmt::print(stderr, "Replaying {} file(s), format {}, to {}, {}\n", options.files.size(),
               to_string(options.format), endpoint(options.url),
               options.speed > 0 ? fmt::format("{} times as fast as it happened", options.speed)
                                 : "as fast as acknowledged");
    if (options.time_shift_now) {
        fmt::print(stderr, "Event times are moved so that the latest one is now\n");
    }
}

}  // namespace

Result<ReplayResult> replay(const ReplayOptions& options, std::stop_token stop) {
    ReplayOptions silent = options;
    silent.quiet = true;
    return replay_with_progress(silent, std::move(stop));
}

int run_replay(const ReplayOptions& options) {
    if (auto status = check(options); !status) {
        fmt::print(stderr, "adtally replay: {}\n", status.error().message);
        return 2;
    }
    std::optional<Interrupt> interrupt;
    if (!options.stop) {
        interrupt.emplace();
    }
    std::stop_token stop = options.stop ? *options.stop : interrupt->token();
    if (!options.quiet) {
        announce(options);
    }
    auto result = replay_with_progress(options, stop);
    if (!result) {
        fmt::print(stderr, "adtally replay: {}\n", result.error().message);
        return 1;
    }
    if (!options.quiet) {
        print_summary(result.value());
    }
    bool all_answered = result.value().unacknowledged == 0 && !stop.stop_requested();
    bool none_refused = result.value().rejected == 0 || options.allow_rejected;
    return all_answered && none_refused ? 0 : 1;
}

}  // namespace adtally::replay
