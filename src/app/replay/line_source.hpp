// The lines of a regular file, first to last or last to first, with their numbers.
//
// The file is mapped, not read: going backwards costs no index and a file may be larger than the
// memory. Views live as long as the source. CR before LF is not part of a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace adtally::replay {

struct Line {
    std::uint64_t number = 0;  // 1 is the first of the file, in both directions
    std::string_view text;
};

class LineSource {
public:
    static Result<LineSource> open(const std::string& path, bool reverse);
    ~LineSource();
    LineSource(LineSource&& other) noexcept;
    LineSource& operator=(LineSource&&) = delete;

    std::optional<Line> next();
    // The first line of the file, wherever next() stands.
    std::string_view first() const;

private:
    LineSource(const char* data, std::size_t size, bool reverse);
    std::optional<Line> forward();
    std::optional<Line> backward();

    const char* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t position_ = 0;  // forward: start of the next line; backward: its end
    std::uint64_t number_ = 0;  // of the line that was given last
    bool reverse_ = false;
};

}  // namespace adtally::replay
