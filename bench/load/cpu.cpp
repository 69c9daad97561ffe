#include "load/cpu.hpp"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace adtally::load {
namespace {

// The first number of schedstat is the time on a CPU in nanoseconds, user and system.
std::int64_t thread_ns(const std::filesystem::path& task) {
    std::int64_t nanoseconds = 0;
    std::ifstream{task / "schedstat"} >> nanoseconds;
    return nanoseconds;
}

}  // namespace

Result<CpuSample> sample_cpu(pid_t process) {
    CpuSample sample;
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
        return Error{ErrorCode::not_found,
                     fmt::format("no CPU time of process {}; is it running?", process)};
    }
    sample.process_ns = std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    std::error_code error;
    std::filesystem::directory_iterator tasks{fmt::format("/proc/{}/task", process), error};
    for (; !error && tasks != std::filesystem::directory_iterator{}; tasks.increment(error)) {
        std::string name;
        std::getline(std::ifstream{tasks->path() / "comm"}, name);
        auto thread = static_cast<pid_t>(std::stol(tasks->path().filename().string()));
        sample.threads[thread] = {thread_group(name), thread_ns(tasks->path())};
    }
    return sample;
}

CpuUsage usage_between(const CpuSample& before, const CpuSample& after) {
    CpuUsage usage;
    usage.seconds = static_cast<double>(after.process_ns - before.process_ns) / 1e9;
    for (const auto& [thread, now] : after.threads) {
        auto then = before.threads.find(thread);
        std::int64_t start = then != before.threads.end() ? then->second.second : 0;
        usage.groups[now.first] += static_cast<double>(now.second - start) / 1e9;
    }
    return usage;
}

std::string thread_group(std::string_view thread_name) {
    if (thread_name.starts_with("rocksdb")) {
        return "rocksdb";
    }
    while (!thread_name.empty() && thread_name.back() >= '0' && thread_name.back() <= '9') {
        thread_name.remove_suffix(1);
    }
    while (!thread_name.empty() && (thread_name.back() == '-' || thread_name.back() == ':')) {
        thread_name.remove_suffix(1);
    }
    return thread_name.empty() ? "unnamed" : std::string(thread_name);
}

}  // namespace adtally::load
