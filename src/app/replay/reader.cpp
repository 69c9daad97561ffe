#include "app/replay/reader.hpp"

#include <algorithm>

#include "app/replay/ipinyou_reader.hpp"
#include "app/replay/ndjson_reader.hpp"
#include "app/replay/openbandit_reader.hpp"

namespace adtally::replay {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0u) == 0x80u;
}

// Length of the well-formed character at the front (RFC 3629: neither overlong nor surrogate nor
// past U+10FFFF), or 0.
std::size_t character_length(std::string_view text) {
    auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) {
        return 1;
    }
    std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                         : first >= 0xE0 && first <= 0xEF ? 3
                         : first >= 0xF0 && first <= 0xF4 ? 4
                                                          : 0;
    if (length == 0 || text.size() < length) {
        return 0;
    }
    if (!std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(length),
                     is_continuation)) {
        return 0;
    }
    auto second = static_cast<unsigned char>(text[1]);
    bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    bool outside = (first == 0xED && second >= 0xA0) || (first == 0xF4 && second >= 0x90);
    return overlong || outside ? 0 : length;
}

template <class Reader>
Result<std::unique_ptr<EventReader>> make(const std::string& path, const ReaderOptions& options) {
    auto lines = LineSource::open(path, options.reverse);
    if (!lines) {
        return lines.error();
    }
    return std::unique_ptr<EventReader>(
        std::make_unique<Reader>(std::move(lines.value()), path, options));
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t max_bytes) {
    std::string clean;
    while (!text.empty()) {
        std::size_t length = character_length(text);
        std::string_view character = length > 0 ? text.substr(0, length) : replacement;
        auto first = static_cast<unsigned char>(text[0]);
        if (first < 0x20 || first == 0x7F) {
            character = " ";
        }
        if (clean.size() + character.size() > max_bytes) {
            break;
        }
        clean += character;
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

void split_fields(std::string_view line, char separator, std::vector<std::string_view>& into) {
    into.clear();
    for (;;) {
        std::size_t end = line.find(separator);
        into.push_back(line.substr(0, end));
        if (end == std::string_view::npos) {
            return;
        }
        line.remove_prefix(end + 1);
    }
}

Result<std::unique_ptr<EventReader>> open_reader(Format format, const std::string& path,
                                                 const ReaderOptions& options) {
    switch (format) {
        case Format::ndjson:
            return make<NdjsonReader>(path, options);
        case Format::ipinyou:
            return make<IpinyouReader>(path, options);
        case Format::openbandit:
            return make<OpenBanditReader>(path, options);
    }
    return Error{ErrorCode::internal, "unknown format"};
}

std::string_view to_string(Format format) {
    switch (format) {
        case Format::ndjson:
            return "ndjson";
        case Format::ipinyou:
            return "ipinyou";
        case Format::openbandit:
            return "openbandit";
    }
    return "unknown";
}

std::optional<Format> parse_format(std::string_view text) {
    for (Format format : {Format::ndjson, Format::ipinyou, Format::openbandit}) {
        if (text == to_string(format)) {
            return format;
        }
    }
    return std::nullopt;
}

}  // namespace adtally::replay
