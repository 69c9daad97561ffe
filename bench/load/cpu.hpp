// CPU time of a process and of its threads by name, from /proc and the process's CPU clock.
//
// Threads whose names differ only in a number at the end are one group: col-io-0 and col-io-1 are
// "col-io"; all of RocksDB's are "rocksdb". The process total includes threads that have ended, the
// groups do not.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace adtally::load {

struct CpuSample {
    std::int64_t process_ns = 0;
    std::map<pid_t, std::pair<std::string, std::int64_t>> threads;  // group, ns
};

struct CpuUsage {
    double seconds = 0;
    std::map<std::string, double> groups;  // seconds
};

// Fails for a process that is not there or not ours to look at.
Result<CpuSample> sample_cpu(pid_t process);
CpuUsage usage_between(const CpuSample& before, const CpuSample& after);

std::string thread_group(std::string_view thread_name);

}  // namespace adtally::load
