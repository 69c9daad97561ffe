#include "platform/observability/utf8.hpp"

namespace adtally::observability {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

struct Sequence {
    bool valid;
    std::size_t length;
};

// The well-formed sequence, or the longest ill-formed part, at the start of `rest` (not empty).
Sequence first_sequence(std::string_view rest) {
    const auto lead = static_cast<unsigned char>(rest[0]);
    if (lead < 0x80)
        return {true, 1};
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    std::size_t length = 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        low = lead == 0xE0 ? 0xA0 : low;    // else overlong
        high = lead == 0xED ? 0x9F : high;  // else a surrogate
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;  // else above U+10FFFF
    } else {
        return {false, 1};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= rest.size())
            return {false, i};
        const auto next = static_cast<unsigned char>(rest[i]);
        if (next < low || next > high)
            return {false, i};
        low = 0x80;
        high = 0xBF;
    }
    return {true, length};
}

void append_escaped_ascii(std::string& out, char character) {
    constexpr char kHex[] = "0123456789abcdef";
    switch (character) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
    }
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte != 0x7F) {
        out += character;
        return;
    }
    out += "\\u00";
    out += kHex[byte >> 4];
    out += kHex[byte & 0xF];
}

}  // namespace

std::string valid_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Sequence sequence = first_sequence(text);
        out += sequence.valid ? text.substr(0, sequence.length) : kReplacement;
        text.remove_prefix(sequence.length);
    }
    return out;
}

void append_json_string(std::string& out, std::string_view text, std::size_t max_bytes) {
    out += '"';
    std::size_t taken = 0;
    while (!text.empty()) {
        const Sequence sequence = first_sequence(text);
        taken += sequence.length;
        if (taken > max_bytes) {
            out += kEllipsis;
            break;
        }
        if (!sequence.valid)
            out += kReplacement;
        else if (sequence.length == 1)
            append_escaped_ascii(out, text[0]);
        else
            out += text.substr(0, sequence.length);
        text.remove_prefix(sequence.length);
    }
    out += '"';
}

}  // namespace adtally::observability
