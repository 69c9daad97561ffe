#include "platform/redis/append_only_tail.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace adtally::redis {

namespace {

constexpr std::size_t buffer_bytes = 1 << 20;
constexpr std::size_t max_line_bytes = 64;
constexpr std::string_view manifest_name = "appendonlydir/appendonly.aof.manifest";
constexpr std::size_t longest_name_of_interest = 5;  // MULTI

enum class Read : std::uint8_t { whole, cut_short, damaged };

// Reads commands as Redis writes them: *2 $3 GET $1 k, each followed by CR LF; lines that begin
// with # are annotations.
class CommandReader {
public:
    explicit CommandReader(const std::filesystem::path& file) : buffer_(buffer_bytes) {
        file_.rdbuf()->pubsetbuf(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
        file_.open(file, std::ios::binary);
    }

    // The next command's name, in capitals, if it is short enough to be looked at.
    Read next(std::string& name) {
        name.clear();
        std::string line;
        do {
            if (Read read = read_line(line); read != Read::whole)
                return read;
        } while (line.starts_with('#'));
        std::optional<std::uint64_t> words = number_behind('*', line);
        if (!words || *words == 0)
            return Read::damaged;
        for (std::uint64_t i = 0; i < *words; ++i) {
            if (Read read = read_word(i == 0 ? &name : nullptr); read != Read::whole)
                return read;
        }
        return Read::whole;
    }

    bool at_end() { return file_.peek() == std::ifstream::traits_type::eof(); }
    bool is_open() const { return file_.is_open(); }
    // Behind the last byte that was read.
    std::uint64_t position() const { return position_; }

private:
    static std::optional<std::uint64_t> number_behind(char mark, std::string_view line) {
        std::uint64_t value = 0;
        if (!line.starts_with(mark))
            return std::nullopt;
        auto [end, error] = std::from_chars(line.data() + 1, line.data() + line.size(), value);
        if (error != std::errc{} || end != line.data() + line.size())
            return std::nullopt;
        return value;
    }

    Read read_line(std::string& line) {
        line.clear();
        for (int byte = file_.get(); byte != std::ifstream::traits_type::eof();
             byte = file_.get()) {
            ++position_;
            line.push_back(static_cast<char>(byte));
            if (line.ends_with("\r\n")) {
                line.resize(line.size() - 2);
                return Read::whole;
            }
            if (line.size() > max_line_bytes)
                return Read::damaged;
        }
        return Read::cut_short;
    }

    Read read_word(std::string* name) {
        std::string line;
        if (Read read = read_line(line); read != Read::whole)
            return read;
        std::optional<std::uint64_t> bytes = number_behind('$', line);
        if (!bytes)
            return Read::damaged;
        if (name != nullptr && *bytes <= longest_name_of_interest) {
            name->resize(*bytes);
            file_.read(name->data(), static_cast<std::streamsize>(*bytes));
            std::transform(name->begin(), name->end(), name->begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
        } else {
            file_.ignore(static_cast<std::streamsize>(*bytes));
        }
        position_ += static_cast<std::uint64_t>(file_.gcount());
        if (static_cast<std::uint64_t>(file_.gcount()) < *bytes)
            return Read::cut_short;
        if (Read read = read_line(line); read != Read::whole)
            return read;
        return line.empty() ? Read::whole : Read::damaged;
    }

    std::vector<char> buffer_;
    std::ifstream file_;
    std::uint64_t position_ = 0;
};

// Where the file ends as far as it is whole; nothing if it is damaged.
std::optional<std::uint64_t> whole_bytes(CommandReader& reader) {
    std::uint64_t whole = 0;
    bool in_transaction = false;
    std::string name;
    while (!reader.at_end()) {
        switch (reader.next(name)) {
            case Read::damaged:
                return std::nullopt;
            case Read::cut_short:
                return whole;
            case Read::whole:
                break;
        }
        if (name == "MULTI")
            in_transaction = true;
        else if (name == "EXEC")
            in_transaction = false;
        if (!in_transaction)
            whole = reader.position();
    }
    return whole;
}

// Of one file. `not_found` when it cannot be read, `corrupt` when it is damaged.
Result<std::uint64_t> cut_tail_of(const std::filesystem::path& file) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    CommandReader reader{file};
    if (error || !reader.is_open())
        return Error{ErrorCode::not_found,
                     fmt::format("{}, which the manifest names, cannot be read: see that it is "
                                 "there, and whose it is",
                                 file.string())};
    const std::optional<std::uint64_t> whole = whole_bytes(reader);
    if (!whole)
        return Error{ErrorCode::corrupt,
                     fmt::format("{} is damaged, not only torn off, and was left as it is: save a "
                                 "copy, then run redis-check-aof --fix on its manifest",
                                 file.string())};
    if (*whole >= size)
        return std::uint64_t{0};
    std::filesystem::resize_file(file, *whole, error);
    if (error)
        return Error{ErrorCode::unavailable,
                     fmt::format("the torn end of {} cannot be cut off: {}; make it writable",
                                 file.string(), error.message())};
    return size - *whole;
}

// A lease to read is given only while nobody has the file open to write.
bool is_being_written(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    const bool refused = ::fcntl(descriptor, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
    ::close(descriptor);
    return refused;
}

}  // namespace

// The file that Redis appends to: the last one of type i, as in
// `file appendonly.aof.3.incr.aof seq 3 type i`.
std::optional<std::filesystem::path> append_only_file(const std::filesystem::path& directory) {
    const std::filesystem::path named = directory / manifest_name;
    std::ifstream manifest{named};
    std::optional<std::filesystem::path> last;
    for (std::string line; std::getline(manifest, line);) {
        constexpr std::string_view before = "file ";
        const std::size_t end = line.find(' ', before.size());
        if (line.starts_with(before) && end != std::string::npos && line.ends_with(" type i"))
            last = named.parent_path() / line.substr(before.size(), end - before.size());
    }
    return last;
}

Result<std::uint64_t> cut_torn_tail(const std::filesystem::path& directory) {
    const std::optional<std::filesystem::path> file = append_only_file(directory);
    if (!file)
        return std::uint64_t{0};
    auto cut = cut_tail_of(*file);
    const bool left_to_redis = !cut && (cut.error().code == ErrorCode::not_found ||
                                        cut.error().code == ErrorCode::corrupt);
    return left_to_redis ? Result<std::uint64_t>{std::uint64_t{0}} : cut;
}

Result<MendedFile> mend_append_only_file(const std::filesystem::path& directory) {
    const std::optional<std::filesystem::path> file = append_only_file(directory);
    if (!file)
        return Error{ErrorCode::not_found,
                     fmt::format("{} names no append-only file: give the `dir` of a Redis with "
                                 "appendonly yes; one with another appenddirname or "
                                 "appendfilename is mended by redis-check-aof --fix",
                                 (directory / manifest_name).string())};
    if (is_being_written(*file))
        return Error{ErrorCode::conflict,
                     fmt::format("{} is being written, as by a running Redis: stop it first",
                                 file->string())};
    ADTALLY_TRY(const std::uint64_t cut, cut_tail_of(*file));
    return MendedFile{*file, cut};
}

}  // namespace adtally::redis
