#include "platform/observability/process_figures.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <system_error>
#include <thread>

namespace adtally::observability {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::chrono::seconds kSampleSpan{1};

double seconds_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Field 22 of /proc/self/stat is the start in ticks since boot. The second field, the program's
// name, may hold blanks and brackets: counting begins behind its last bracket.
double read_start_time() {
    const double now = seconds_of(CLOCK_REALTIME);
    std::ifstream file("/proc/self/stat");
    std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::size_t bracket = stat.rfind(')');
    if (bracket == std::string::npos)
        return now;
    std::istringstream fields(stat.substr(bracket + 1));
    std::string skipped;
    for (int field = 3; field < 22; ++field)
        fields >> skipped;
    double ticks = 0;
    if (!(fields >> ticks))
        return now;
    const double since_boot = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    const double age = seconds_of(CLOCK_BOOTTIME) - since_boot;
    return age > 0 ? now - age : now;
}

double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    double all = 0;
    double resident = 0;
    if (!(file >> all >> resident))
        return kUnknown;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_files() {
    std::error_code error;
    double count = -1;  // the listing itself holds one open
    for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
         it.increment(error))
        ++count;
    return error || count < 0 ? kUnknown : count;
}

double max_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return kUnknown;
    return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                           : static_cast<double>(limit.rlim_cur);
}

double load_average() {
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : kUnknown;
}

double fraction(double part, double whole) {
    return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0;
}

double processors() {
    return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

ProcessReader::ProcessReader()
    : start_time_seconds_(read_start_time()),
      sampled_at_(std::chrono::steady_clock::now()),
      sampled_cpu_seconds_(seconds_of(CLOCK_PROCESS_CPUTIME_ID)),
      sampled_ticks_(machine_ticks()) {}

double ProcessReader::uptime_seconds() const {
    return std::max(0.0, seconds_of(CLOCK_REALTIME) - start_time_seconds_);
}

// First line of /proc/stat: user nice system idle iowait irq softirq steal.
ProcessReader::Ticks ProcessReader::machine_ticks() {
    std::ifstream file("/proc/stat");
    std::string label;
    std::array<double, 8> ticks{};
    if (!(file >> label) || label != "cpu")
        return {};
    Ticks out;
    for (double& tick : ticks) {
        file >> tick;
        out.total += tick;
    }
    out.busy = out.total - ticks[3] - ticks[4];
    return out;
}

void ProcessReader::refresh_usage(double cpu_seconds) {
    const auto now = std::chrono::steady_clock::now();
    if (now - sampled_at_ < kSampleSpan)
        return;
    const double elapsed = std::chrono::duration<double>(now - sampled_at_).count();
    const Ticks ticks = machine_ticks();
    cpu_usage_ = fraction(cpu_seconds - sampled_cpu_seconds_, elapsed * processors());
    system_cpu_usage_ =
        fraction(ticks.busy - sampled_ticks_.busy, ticks.total - sampled_ticks_.total);
    sampled_at_ = now;
    sampled_cpu_seconds_ = cpu_seconds;
    sampled_ticks_ = ticks;
}

ProcessFigures ProcessReader::read() {
    ProcessFigures out;
    out.start_time_seconds = start_time_seconds_;
    out.uptime_seconds = uptime_seconds();
    out.cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    {
        std::lock_guard lock(mutex_);
        refresh_usage(out.cpu_seconds);
        out.cpu_usage = cpu_usage_;
        out.system_cpu_usage = system_cpu_usage_;
    }
    out.resident_bytes = resident_bytes();
    out.open_files = open_files();
    out.max_files = max_files();
    out.cpu_count = processors();
    out.load_average_1m = load_average();
    std::error_code error;
    out.disk_path = std::filesystem::current_path(error).string();
    struct statvfs disk {};
    const bool known = statvfs(".", &disk) == 0;
    const auto block = static_cast<double>(disk.f_frsize);
    out.disk_free_bytes = known ? static_cast<double>(disk.f_bavail) * block : kUnknown;
    out.disk_total_bytes = known ? static_cast<double>(disk.f_blocks) * block : kUnknown;
    return out;
}

}  // namespace adtally::observability
