// Room on the disk, looked at before there is none.
//
// Problem. A store that runs into a full disk has half a write on it and must be opened anew.
// Refusing while there is still room for its own housekeeping costs nothing and heals by itself.
// Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::eventlog {

class DiskSpace {
public:
    // `probe` gives the free bytes; an empty one asks the file system of `directory`.
    DiskSpace(std::filesystem::path directory, std::uint64_t min_free_bytes,
              std::function<std::uint64_t()> probe);

    // Why `bytes` must not be written now: less than the minimum would be left. Asks the system at
    // most every 100 ms or 1 MiB.
    std::optional<Error> shortage(std::uint64_t bytes);
    // Asks in any case.
    std::optional<Error> shortage_now(std::uint64_t bytes = 0);

private:
    const std::filesystem::path directory_;
    const std::uint64_t min_free_bytes_;
    const std::function<std::uint64_t()> probe_;
    SteadyTime asked_at_{};
    std::uint64_t written_since_ = 0;
};

}  // namespace adtally::eventlog
