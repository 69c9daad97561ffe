#include "platform/eventlog/disk_space.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <chrono>
#include <limits>
#include <utility>

namespace adtally::eventlog {
namespace {

constexpr Milliseconds ask_interval{100};
constexpr std::uint64_t ask_bytes = 1u << 20;
constexpr std::uint64_t mebibyte = 1u << 20;

std::uint64_t free_bytes_of(const std::filesystem::path& directory) {
    struct statvfs answer {};
    // Not being able to ask is no reason to refuse: the write itself will say what is wrong.
    if (::statvfs(directory.c_str(), &answer) != 0)
        return std::numeric_limits<std::uint64_t>::max();
    return std::uint64_t{answer.f_bavail} * answer.f_frsize;
}

}  // namespace

DiskSpace::DiskSpace(std::filesystem::path directory, std::uint64_t min_free_bytes,
                     std::function<std::uint64_t()> probe)
    : directory_(std::move(directory)),
      min_free_bytes_(min_free_bytes),
      probe_(probe ? std::move(probe) : [path = directory_] { return free_bytes_of(path); }) {}

std::optional<Error> DiskSpace::shortage(std::uint64_t bytes) {
    written_since_ += bytes;
    if (written_since_ < ask_bytes && std::chrono::steady_clock::now() < asked_at_ + ask_interval)
        return std::nullopt;
    return shortage_now(bytes);
}

std::optional<Error> DiskSpace::shortage_now(std::uint64_t bytes) {
    asked_at_ = std::chrono::steady_clock::now();
    written_since_ = 0;
    const std::uint64_t free = probe_();
    if (free >= min_free_bytes_ + bytes)
        return std::nullopt;
    return Error{
        ErrorCode::storage_full,
        fmt::format("{} MiB free on the disk of {}, {} MiB must stay free: make room there",
                    free / mebibyte, directory_.string(), min_free_bytes_ / mebibyte)};
}

}  // namespace adtally::eventlog
