// What the operating system knows about this process and its machine, read when scraped.
//
// A figure that cannot be read (no /proc, a path without a file system) is NaN, which Prometheus
// stores as a gap: a missing figure never breaks the scrape.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace adtally::observability {

struct ProcessFigures {
    double start_time_seconds = 0;  // since 1970
    double uptime_seconds = 0;
    double cpu_seconds = 0;
    double cpu_usage = 0;         // 0 … 1 of all processors, since the last reading
    double system_cpu_usage = 0;  // the same of the whole machine
    double resident_bytes = 0;
    double open_files = 0;
    double max_files = 0;
    double cpu_count = 0;
    double load_average_1m = 0;
    double disk_free_bytes = 0;  // of the working directory
    double disk_total_bytes = 0;
    std::string disk_path;
};

// Thread-safe. Usages are differences between two readings at least a second apart; readings in
// quicker succession repeat the last usage, so that two scrapers do not disturb each other.
class ProcessReader {
public:
    ProcessReader();
    ProcessFigures read();
    double uptime_seconds() const;

private:
    struct Ticks {
        double busy = 0;
        double total = 0;
    };
    static Ticks machine_ticks();
    void refresh_usage(double cpu_seconds);

    const double start_time_seconds_;
    std::mutex mutex_;
    std::chrono::steady_clock::time_point sampled_at_;
    double sampled_cpu_seconds_;
    Ticks sampled_ticks_;
    double cpu_usage_ = 0;
    double system_cpu_usage_ = 0;
};

}  // namespace adtally::observability
