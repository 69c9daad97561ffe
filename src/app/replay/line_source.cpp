#include "app/replay/line_source.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace adtally::replay {
namespace {

std::string_view without_carriage_return(std::string_view line) {
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    return line;
}

Error cannot_read(const std::string& path, const char* why) {
    return Error{ErrorCode::not_found, "cannot read " + path + ": " + why};
}

}  // namespace

Result<LineSource> LineSource::open(const std::string& path, bool reverse) {
    int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return cannot_read(path, std::strerror(errno));
    }
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(file);
        return cannot_read(path, "not a regular file; unpack it or save the stream to a file");
    }
    auto size = static_cast<std::size_t>(status.st_size);
    void* data = nullptr;
    if (size > 0) {
        data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    }
    int mapping_error = errno;
    ::close(file);
    if (data == MAP_FAILED) {
        return cannot_read(path, std::strerror(mapping_error));
    }
    return LineSource{static_cast<const char*>(data), size, reverse};
}

LineSource::LineSource(const char* data, std::size_t size, bool reverse)
    : data_(data), size_(size), reverse_(reverse) {
    if (reverse_) {
        position_ = size_;
        if (size_ > 0 && data_[size_ - 1] == '\n') {
            --position_;
        }
        auto breaks = std::count(data_, data_ + position_, '\n');
        number_ = size_ == 0 ? 1 : static_cast<std::uint64_t>(breaks) + 2;
    }
}

LineSource::LineSource(LineSource&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      position_(other.position_),
      number_(other.number_),
      reverse_(other.reverse_) {}

LineSource::~LineSource() {
    if (data_ != nullptr) {
        ::munmap(const_cast<char*>(data_), size_);
    }
}

std::optional<Line> LineSource::next() {
    return reverse_ ? backward() : forward();
}

std::optional<Line> LineSource::forward() {
    if (position_ >= size_) {
        return std::nullopt;
    }
    const char* start = data_ + position_;
    const void* found = std::memchr(start, '\n', size_ - position_);
    const char* end = found != nullptr ? static_cast<const char*>(found) : data_ + size_;
    position_ = static_cast<std::size_t>(end - data_) + 1;
    return Line{++number_, without_carriage_return({start, static_cast<std::size_t>(end - start)})};
}

std::optional<Line> LineSource::backward() {
    if (number_ <= 1) {
        return std::nullopt;
    }
    const void* found = position_ > 0 ? ::memrchr(data_, '\n', position_) : nullptr;
    std::size_t start = found != nullptr
                            ? static_cast<std::size_t>(static_cast<const char*>(found) - data_) + 1
                            : 0;
    std::string_view text{data_ + start, position_ - start};
    position_ = start > 0 ? start - 1 : 0;
    return Line{--number_, without_carriage_return(text)};
}

std::string_view LineSource::first() const {
    std::string_view all{data_, size_};
    return without_carriage_return(all.substr(0, all.find('\n')));
}

}  // namespace adtally::replay
