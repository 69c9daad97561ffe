// What an event costs in the embedded log, with the bare disk beside it.
//
// cpu_us is the processor time of the whole process (all threads, RocksDB's too) per event. The
// control writes the same bytes with write() and fdatasync(), in groups of the same size as the
// log's commits: what it costs is the price of durability, the rest is the log's.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>

#include "platform/eventlog/rocksdb_log.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::size_t event_bytes = 300;  // about, with its key
constexpr std::int64_t batch_events = 100;

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Directory {
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "eventlog-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

RocksDbLogOptions options_in(const Directory& directory) {
    RocksDbLogOptions options;
    options.directory = directory.path;
    options.topics = {{"events", 12}};
    return options;
}

// As events are: field names and most values repeat, ids and times do not. Of `event_bytes` about.
std::string value_of(std::int64_t number) {
    const std::uint64_t id = static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15u;
    return fmt::format(
        R"({{"event_id":"ld-{:016x}","type":"impression","ad_id":{},"campaign_id":{},)"
        R"("session_id":"s-{:08x}","timestamp":{},"cost_micros":2500,"currency":"USD",)"
        R"("user_agent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/{}.0","ip":"10.{}.{}.{}"}})",
        id, number % 1000, number % 37, id >> 32, 1'700'000'000'000 + number, 100 + number % 30,
        id % 250, id / 7 % 250, id / 11 % 250);
}

RecordBatch batch_of(std::int64_t events, std::int64_t first) {
    RecordBatch batch;
    batch.reserve(static_cast<std::size_t>(events), static_cast<std::size_t>(events) * 310);
    for (std::int64_t i = 0; i < events; ++i) {
        const std::string key = std::to_string((first + i) % 1000);
        batch.add(key, value_of(first + i));
    }
    return batch;
}

// Holds back who appends while more than `limit` appends are not answered.
class Window {
public:
    explicit Window(int limit) : limit_(limit) {}
    void enter() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return in_flight_ < limit_; });
        ++in_flight_;
    }
    AppendDone leave() {
        return [this](Status status) {
            std::lock_guard lock(mutex_);
            failed_ = failed_ || !status;
            if (--in_flight_ == limit_ - 1 || in_flight_ == 0)
                changed_.notify_all();
        };
    }
    bool drain() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return in_flight_ == 0; });
        return !failed_;
    }

private:
    const int limit_;
    std::mutex mutex_;
    std::condition_variable changed_;
    int in_flight_ = 0;
    bool failed_ = false;
};

void report(benchmark::State& state, double cpu_before, std::int64_t events) {
    state.counters["cpu_us"] = 1e6 * (cpu_seconds() - cpu_before) / static_cast<double>(events);
    state.counters["events/s"] =
        benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}

// Batches of 100 from one thread, as many as the log takes.
void append_batches(benchmark::State& state) {
    const Directory directory;
    const SystemClock clock;
    CrashPoints crash_points;
    const std::int64_t events = state.range(0);
    for (auto run : state) {
        const auto log = open_rocksdb_log(options_in(directory), clock, crash_points);
        Window window{200};
        const double before = cpu_seconds();
        for (std::int64_t i = 0; i < events; i += batch_events) {
            window.enter();
            log->producer().append("events", batch_of(batch_events, i), window.leave());
        }
        if (!window.drain())
            state.SkipWithError("an append failed");
        report(state, before, events);
    }
}
BENCHMARK(append_batches)
    ->Arg(1'000'000)
    ->Arg(6'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// The same bytes to a plain file, in groups of `range(1)` events.
void control_plain_file(benchmark::State& state) {
    const Directory directory;
    const std::int64_t events = state.range(0);
    const std::int64_t group = state.range(1);
    for (auto run : state) {
        const int file = ::open((directory.path / "plain").c_str(), O_CREAT | O_WRONLY, 0644);
        const std::string bytes(static_cast<std::size_t>(group) * event_bytes, 'e');
        const double before = cpu_seconds();
        for (std::int64_t i = 0; i < events; i += group) {
            const auto written = ::write(file, bytes.data(), bytes.size());
            if (written != static_cast<ssize_t>(bytes.size()) || ::fdatasync(file) != 0)
                state.SkipWithError("a write failed");
        }
        report(state, before, events);
        ::close(file);
    }
}
BENCHMARK(control_plain_file)
    ->Args({1'000'000, 10'000})
    ->Args({50'000, 40})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// The control of append_singles: groups of 40 events, one each 4 ms, 1,250 times. A processor that
// has slept pays more for the same fdatasync than one that is kept busy.
void control_plain_file_paced(benchmark::State& state) {
    const Directory directory;
    constexpr std::int64_t group = 40;
    constexpr std::int64_t groups = 1'250;
    for (auto run : state) {
        const int file = ::open((directory.path / "plain").c_str(), O_CREAT | O_WRONLY, 0644);
        const std::string bytes(static_cast<std::size_t>(group) * event_bytes, 'e');
        std::mutex mutex;
        std::condition_variable nobody;
        std::unique_lock lock(mutex);
        const double before = cpu_seconds();
        auto next = std::chrono::steady_clock::now();
        for (std::int64_t i = 0; i < groups; ++i) {
            nobody.wait_until(lock, next += Milliseconds{4});
            const auto written = ::write(file, bytes.data(), bytes.size());
            if (written != static_cast<ssize_t>(bytes.size()) || ::fdatasync(file) != 0)
                state.SkipWithError("a write failed");
        }
        report(state, before, group * groups);
        ::close(file);
    }
}
BENCHMARK(control_plain_file_paced)->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();

// 10,000 single events a second for 5 s, sent every millisecond.
void append_singles(benchmark::State& state) {
    const Directory directory;
    const SystemClock clock;
    CrashPoints crash_points;
    constexpr std::int64_t events = 50'000;
    for (auto run : state) {
        const auto log = open_rocksdb_log(options_in(directory), clock, crash_points);
        Window window{10'000};
        std::mutex mutex;
        std::condition_variable nobody;
        std::unique_lock lock(mutex);
        const double before = cpu_seconds();
        auto next = std::chrono::steady_clock::now();
        for (std::int64_t i = 0; i < events; ++i) {
            if (i % 10 == 0)
                nobody.wait_until(lock, next += Milliseconds{1});
            window.enter();
            log->producer().append("events", batch_of(1, i), window.leave());
        }
        if (!window.drain())
            state.SkipWithError("an append failed");
        report(state, before, events);
    }
}
BENCHMARK(append_singles)->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();

class FromBegin final : public AssignmentListener {
public:
    void on_assigned(std::span<const Partition> partitions) override {
        for (const Partition partition : partitions)
            (void)consumer->seek(partition, Offset{0});
    }
    void on_revoked(std::span<const Partition>) override {}
    Consumer* consumer = nullptr;
};

void read_all(benchmark::State& state, EventLog& log, std::int64_t events) {
    FromBegin listener;
    const auto consumer = std::move(log.consumer("events", listener).value());
    listener.consumer = consumer.get();
    FetchedBatch batch;
    std::uint64_t bytes = 0;
    const double before = cpu_seconds();
    for (std::int64_t read = 0; read < events;) {
        if (!consumer->poll(batch, 5000, Deadline::after(Milliseconds{1000}))) {
            state.SkipWithError("a poll failed");
            return;
        }
        for (const FetchedRecord& record : batch.records)
            bytes += record.value.size();
        read += static_cast<std::int64_t>(batch.records.size());
    }
    benchmark::DoNotOptimize(bytes);
    report(state, before, events);
}

// `range(0)` events, `range(1)` in each append and each commit.
void fill(EventLog& log, benchmark::State& state) {
    Window window{1};
    for (std::int64_t i = 0; i < state.range(0); i += state.range(1)) {
        window.enter();
        log.producer().append("events", batch_of(state.range(1), i), window.leave());
    }
    if (!window.drain())
        state.SkipWithError("an append failed");
}

// Everything from the disk, after a restart.
void catch_up(benchmark::State& state) {
    const Directory directory;
    const SystemClock clock;
    CrashPoints crash_points;
    auto options = options_in(directory);
    options.commit_linger = Milliseconds{0};
    fill(*open_rocksdb_log(options, clock, crash_points), state);
    const auto log = open_rocksdb_log(options, clock, crash_points);
    for (auto run : state)
        read_all(state, *log, state.range(0));
}
BENCHMARK(catch_up)
    ->Args({1'000'000, 10'000})
    ->Args({200'000, 40})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// The newest records from memory, as a reader has them that keeps up.
void read_tail(benchmark::State& state) {
    const Directory directory;
    const SystemClock clock;
    CrashPoints crash_points;
    auto options = options_in(directory);
    options.commit_linger = Milliseconds{0};
    const auto log = open_rocksdb_log(options, clock, crash_points);
    fill(*log, state);
    for (auto run : state)
        read_all(state, *log, state.range(0));
}
BENCHMARK(read_tail)
    ->Args({80'000, 10'000})
    ->Args({50'000, 40})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace adtally::eventlog
