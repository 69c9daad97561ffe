#include "platform/eventlog/block.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/assert.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::size_t version_position = 4;
constexpr std::size_t count_position = 24;
constexpr std::size_t records_size_position = 28;

Error corrupt(std::string what) {
    return Error{ErrorCode::corrupt, std::move(what)};
}

// Takes bytes from the front while there are enough.
class Taker {
public:
    explicit Taker(std::string_view bytes) : left_(bytes) {}

    template <class Number>
    bool number(Number& to) {
        if (left_.size() < sizeof to)
            return false;
        to = load_le<Number>(left_.data());
        left_.remove_prefix(sizeof to);
        return true;
    }
    bool bytes(std::size_t size, std::string_view& to) {
        if (left_.size() < size)
            return false;
        to = left_.substr(0, size);
        left_.remove_prefix(size);
        return true;
    }
    bool empty() const { return left_.empty(); }

private:
    std::string_view left_;
};

bool records_are_whole(std::string_view records, std::uint32_t count) {
    Taker taker{records};
    for (std::uint32_t i = 0; i < count; ++i) {
        std::uint32_t key_size = 0;
        std::uint32_t value_size = 0;
        std::string_view skipped;
        if (!taker.number(key_size) || !taker.number(value_size) ||
            !taker.bytes(key_size, skipped) || !taker.bytes(value_size, skipped))
            return false;
    }
    return taker.empty();
}

bool take_header(Taker& taker, std::string_view& name, std::string_view& value) {
    std::uint16_t name_size = 0;
    std::uint32_t value_size = 0;
    return taker.number(name_size) && taker.number(value_size) && taker.bytes(name_size, name) &&
           taker.bytes(value_size, value);
}

// Calls `begin(first record)` for each run and `header(name, value)` for each of its headers.
template <class Begin, class OnHeader>
bool walk_runs(std::string_view runs, std::uint32_t records, Begin begin, OnHeader on_header) {
    Taker taker{runs};
    std::int64_t previous = -1;
    while (!taker.empty()) {
        std::uint32_t first = 0;
        std::uint16_t headers = 0;
        if (!taker.number(first) || !taker.number(headers) || first >= records ||
            std::int64_t{first} <= previous)
            return false;
        previous = first;
        begin(first);
        for (std::uint16_t i = 0; i < headers; ++i) {
            std::string_view name;
            std::string_view value;
            if (!take_header(taker, name, value))
                return false;
            on_header(name, value);
        }
    }
    return true;
}

std::string_view runs_of(std::string_view framed_block) {
    const auto records_size = load_le<std::uint32_t>(framed_block.data() + records_size_position);
    return framed_block.substr(block_frame_bytes + records_size);
}

}  // namespace

BlockBytes padded(std::string_view framed_block) {
    auto bytes = std::make_shared<std::string>();
    bytes->reserve(framed_block.size() + value_padding);
    bytes->append(framed_block).append(value_padding, '\0');
    return bytes;
}

void BlockBuilder::start(Offset base, TimestampMs appended_at) {
    ADTALLY_ASSERT(!started_);
    started_ = true;
    has_headers_ = false;
    count_ = 0;
    bytes_ = std::make_shared<std::string>();
    bytes_->reserve(last_size_ + last_size_ / 4);
    runs_.clear();
    append_le(*bytes_, std::uint32_t{0});
    append_le(*bytes_, block_version);
    append_le(*bytes_, static_cast<std::uint64_t>(base.value));
    append_le(*bytes_, static_cast<std::uint64_t>(appended_at.value));
    append_le(*bytes_, std::uint64_t{0});
}

void BlockBuilder::set_headers(std::span<const Header> headers) {
    if (headers.empty() && !has_headers_)
        return;
    has_headers_ = !headers.empty();
    append_le(runs_, count_);
    append_le(runs_, static_cast<std::uint16_t>(headers.size()));
    for (const Header& header : headers) {
        append_le(runs_, static_cast<std::uint16_t>(header.name.size()));
        append_le(runs_, static_cast<std::uint32_t>(header.value.size()));
        runs_.append(header.name).append(header.value);
    }
}

void BlockBuilder::add(std::string_view key, std::string_view value) {
    char sizes[record_frame_bytes];
    store_le(sizes, static_cast<std::uint32_t>(key.size()));
    store_le(sizes + 4, static_cast<std::uint32_t>(value.size()));
    bytes_->append(sizes, sizeof sizes).append(key).append(value);
    ++count_;
}

BlockBytes BlockBuilder::finish() {
    ADTALLY_ASSERT(started_ && count_ > 0);
    started_ = false;
    store_le(bytes_->data() + count_position, count_);
    store_le(bytes_->data() + records_size_position,
             static_cast<std::uint32_t>(bytes_->size() - block_frame_bytes));
    bytes_->append(runs_).append(value_padding, '\0');
    last_size_ = bytes_->size();
    return std::move(bytes_);
}

Result<BlockInfo> check_block(std::string_view framed_block) {
    if (framed_block.size() < block_frame_bytes)
        return corrupt(
            fmt::format("a block of {} bytes is shorter than its frame", framed_block.size()));
    if (load_le<std::uint32_t>(framed_block.data() + version_position) != block_version)
        return corrupt("a block has another version than this adtally");
    const auto count = load_le<std::uint32_t>(framed_block.data() + count_position);
    const auto size = load_le<std::uint32_t>(framed_block.data() + records_size_position);
    const std::string_view body = framed_block.substr(block_frame_bytes);
    const BlockInfo info = info_of(framed_block);
    if (count == 0 || info.base.value < 0 || info.end < info.base || size > body.size() ||
        !records_are_whole(body.substr(0, size), count))
        return corrupt("the records of a block do not fill it");
    if (!walk_runs(
            body.substr(size), count, [](std::uint32_t) {},
            [](std::string_view, std::string_view) {}))
        return corrupt("the headers of a block do not fill it");
    return info;
}

BlockInfo info_of(std::string_view framed_block) {
    const auto base = load_le<std::uint64_t>(framed_block.data() + 8);
    const auto count = load_le<std::uint32_t>(framed_block.data() + count_position);
    return {
        Offset{static_cast<std::int64_t>(base)}, Offset{static_cast<std::int64_t>(base + count)},
        TimestampMs{static_cast<std::int64_t>(load_le<std::uint64_t>(framed_block.data() + 16))}};
}

std::vector<HeaderRun> header_runs(std::string_view framed_block) {
    std::vector<HeaderRun> runs;
    const auto count = load_le<std::uint32_t>(framed_block.data() + count_position);
    const bool whole = walk_runs(
        runs_of(framed_block), count,
        [&](std::uint32_t first) {
            runs.push_back({first, {}});
        },
        [&](std::string_view name, std::string_view value) {
            runs.back().headers.push_back({std::string(name), std::string(value)});
        });
    ADTALLY_ASSERT(whole);
    return runs;
}

}  // namespace adtally::eventlog
