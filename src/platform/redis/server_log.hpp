// The log of a redis-server: kept small, and read for its last words when it ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace adtally::redis {

class ServerLog {
public:
    explicit ServerLog(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const { return path_; }
    // Before a start: empties the file when it is over 10 MiB, and remembers where this run begins.
    void begin_run();
    // The last lines of this run in one line, without times; empty when it wrote none.
    std::string last_words() const;

private:
    std::filesystem::path path_;
    std::uintmax_t run_begin_ = 0;
};

// "1234:M 22 Nov 2026 08:00:00.123 # Fatal error" → "Fatal error"; any other line as it is.
std::string without_prefix(const std::string& line);

// What to do about it, from those last words: how to repair a damaged append-only file in
// `directory`, or where to read more.
std::string remedy(const std::string& last_words, const std::filesystem::path& directory,
                   const std::filesystem::path& log);

}  // namespace adtally::redis
