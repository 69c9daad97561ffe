// What worlds got done: a simulation in which nothing happens finds nothing.
#pragma once

#include <cstdint>

namespace adtally::sim {

struct Work {
    std::uint64_t acknowledged = 0;  // events
    std::uint64_t records = 0;       // in the log
    std::uint64_t flushes = 0;       // applied
    void add(const Work& other) {
        acknowledged += other.acknowledged;
        records += other.records;
        flushes += other.flushes;
    }
};

}  // namespace adtally::sim
