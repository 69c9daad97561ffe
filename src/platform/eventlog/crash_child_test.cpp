// The main function of these tests, and the process that the crash tests kill.
//
// Called with --append-until-killed it opens a log and appends from three threads; the id of each
// acknowledged record goes to standard output as one line, written at once.
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

void report(const std::string& ids) {
    std::string_view left = ids;
    while (!left.empty()) {
        const auto written = ::write(STDOUT_FILENO, left.data(), left.size());
        if (written <= 0)
            std::_Exit(3);
        left.remove_prefix(static_cast<std::size_t>(written));
    }
}

void append_for_ever(EventLog& log, const std::string& prefix, unsigned seed) {
    std::mt19937 random{seed};
    std::mutex mutex;
    std::condition_variable answered;
    int in_flight = 0;
    for (int next = 0;;) {
        RecordBatch batch;
        std::string ids;
        const auto size = 1 + random() % 20;
        for (unsigned i = 0; i < size; ++i) {
            const std::string id = prefix + "-" + std::to_string(next++);
            batch.add(std::to_string(random() % 100), id);
            ids += id + "\n";
        }
        std::unique_lock lock(mutex);
        answered.wait(lock, [&] { return in_flight < 4; });
        ++in_flight;
        lock.unlock();
        log.producer().append("events", std::move(batch), [&, ids](Status status) {
            if (status)
                report(ids);
            std::lock_guard relock(mutex);
            --in_flight;
            answered.notify_one();
        });
    }
}

// Arguments: directory, round, crash point, at which pass.
int append_until_killed(char** arguments) {
    RocksDbLogOptions options;
    options.directory = arguments[0];
    options.topics = {{"events", 4}};
    options.commit_linger = Milliseconds{1};
    options.min_free_disk_bytes = 0;
    const std::string round = arguments[1];
    const SystemClock clock;
    const auto point = parse_crash_point(arguments[2]);
    CrashPoints crash_points{point ? point.value() : CrashPoint::none, std::stoll(arguments[3])};
    const auto log = open_rocksdb_log(options, clock, crash_points);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 3; ++i)
        threads.emplace_back([&, i] {
            append_for_ever(*log, round + "-" + std::to_string(i),
                            static_cast<unsigned>(std::stoul(round)) * 3 + i);
        });
    for (auto& thread : threads)
        thread.join();
    return 0;
}

}  // namespace
}  // namespace adtally::eventlog

int main(int count, char** arguments) {
    if (count == 6 && std::string_view{arguments[1]} == "--append-until-killed")
        return adtally::eventlog::append_until_killed(arguments + 2);
    testing::InitGoogleMock(&count, arguments);
    return RUN_ALL_TESTS();
}
