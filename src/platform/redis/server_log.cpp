#include "platform/redis/server_log.hpp"

#include <fmt/format.h>

#include <deque>
#include <fstream>
#include <string_view>
#include <system_error>

namespace adtally::redis {

namespace {

constexpr std::uintmax_t max_log_bytes = std::uintmax_t{10} << 20;
constexpr std::uintmax_t max_read_bytes = 64 << 10;
constexpr std::size_t lines_kept = 3;
constexpr std::size_t max_line_bytes = 300;

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool tells_of_damage(std::string_view words) {
    return contains(words, "append only file") || contains(words, "AOF manifest") ||
           contains(words, "redis-check-aof") || contains(words, "rdb file reading failure");
}

std::filesystem::path append_only_manifest(const std::filesystem::path& directory) {
    std::filesystem::path manifest = directory / "appendonlydir" / "appendonly.aof.manifest";
    std::error_code ignored;
    return std::filesystem::exists(manifest, ignored) ? manifest : directory / "appendonly.aof";
}

}  // namespace

void ServerLog::begin_run() {
    std::error_code absent;
    run_begin_ = std::filesystem::file_size(path_, absent);
    if (absent)
        run_begin_ = 0;
    if (run_begin_ <= max_log_bytes)
        return;
    std::filesystem::resize_file(path_, 0, absent);
    run_begin_ = 0;
}

std::string ServerLog::last_words() const {
    std::error_code absent;
    const std::uintmax_t end = std::filesystem::file_size(path_, absent);
    if (absent || end <= run_begin_)
        return {};
    const std::uintmax_t begin =
        end - run_begin_ > max_read_bytes ? end - max_read_bytes : run_begin_;
    std::ifstream file{path_};
    file.seekg(static_cast<std::streamoff>(begin));
    std::deque<std::string> kept;
    for (std::string line; std::getline(file, line);) {
        std::string words = without_prefix(line).substr(0, max_line_bytes);
        if (words.find_first_not_of(" \t\r") == std::string::npos)
            continue;
        kept.push_back(std::move(words));
        if (kept.size() > lines_kept)
            kept.pop_front();
    }
    std::string joined;
    for (const std::string& words : kept)
        joined += (joined.empty() ? "" : " | ") + words;
    return joined;
}

std::string without_prefix(const std::string& line) {
    // pid:role day month year time level text
    constexpr int words_before_text = 6;
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string::npos || line.find_first_not_of("0123456789") != colon)
        return line;
    std::size_t at = 0;
    for (int word = 0; word < words_before_text; ++word) {
        at = line.find(' ', at);
        if (at == std::string::npos)
            return line;
        ++at;
    }
    return line.substr(at);
}

std::string remedy(const std::string& last_words, const std::filesystem::path& directory,
                   const std::filesystem::path& log) {
    if (!tells_of_damage(last_words))
        return fmt::format("its log is {}", log.string());
    return fmt::format(
        "its append-only file is damaged; repair it with: redis-check-aof --fix {} (if that fails, "
        "move {} away; either way counts are restored from the event log as far as it is retained)",
        append_only_manifest(directory).string(), directory.string());
}

}  // namespace adtally::redis
