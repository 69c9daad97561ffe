// Query strings and form bodies: application/x-www-form-urlencoded, and percent-encoding.
//
// Promise: a malformed escape is never guessed at. The number of parameters is bounded, because a
// form body of 4 MiB could otherwise become a hundred times its size in memory.
#include "platform/http/message.hpp"

#include "base/hex.hpp"

namespace adtally::http {

namespace {

constexpr std::size_t max_parameters = 1'000;

struct Pair {
    std::string_view name;
    std::string_view value;
};

// Takes the first non-empty pair off `rest`; false at the end.
bool next_pair(std::string_view& rest, Pair& into) {
    while (!rest.empty()) {
        std::size_t end = rest.find('&');
        std::string_view piece = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (piece.empty())
            continue;
        std::size_t equals = piece.find('=');
        into.name = piece.substr(0, equals);
        into.value =
            equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1);
        return true;
    }
    return false;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            if (text.size() - i < 3)
                return std::nullopt;
            int high = hex_digit(text[i + 1]);
            int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0)
                return std::nullopt;
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return decoded;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (char c : text) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            encoded += c;
        } else {
            auto byte = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += hex[byte >> 4];
            encoded += hex[byte & 15];
        }
    }
    return encoded;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
    Pair pair;
    while (next_pair(query, pair)) {
        bool plain = pair.name.find_first_of("%+") == std::string_view::npos;
        if (plain ? pair.name == name : percent_decode(pair.name, true) == name)
            return percent_decode(pair.value, true);
    }
    return std::nullopt;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(
    std::string_view query) {
    std::vector<std::pair<std::string, std::string>> parameters;
    Pair pair;
    while (next_pair(query, pair)) {
        std::optional<std::string> name = percent_decode(pair.name, true);
        std::optional<std::string> value = percent_decode(pair.value, true);
        if (!name || !value || parameters.size() == max_parameters)
            return std::nullopt;
        parameters.emplace_back(std::move(*name), std::move(*value));
    }
    return parameters;
}

}  // namespace adtally::http
