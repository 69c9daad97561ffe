#include "load/answer.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace adtally::load {
namespace {

constexpr std::size_t longest_head = 16'384;
constexpr std::size_t kept_of_body = 32;

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

// The value of the first header field of that name.
std::optional<std::string_view> field(std::string_view head, std::string_view name) {
    std::size_t line = head.find("\r\n");
    while (line != std::string_view::npos && line + 2 < head.size()) {
        std::size_t start = line + 2;
        line = head.find("\r\n", start);
        std::string_view text = head.substr(
            start, line == std::string_view::npos ? std::string_view::npos : line - start);
        std::size_t colon = text.find(':');
        if (colon != std::string_view::npos && same_word(text.substr(0, colon), name)) {
            text.remove_prefix(colon + 1);
            while (!text.empty() && text.front() == ' ') {
                text.remove_prefix(1);
            }
            return text;
        }
    }
    return std::nullopt;
}

template <class Number>
bool read_number(std::string_view text, Number& into) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc{} && end != text.data();
}

}  // namespace

Answer::State Answer::feed(std::string_view bytes) {
    if (!in_body_) {
        if (head_.size() + bytes.size() > longest_head + kept_of_body &&
            head_.size() > longest_head) {
            return State::malformed;
        }
        std::size_t before = head_.size() < 3 ? 0 : head_.size() - 3;
        head_ += bytes;
        std::size_t end = head_.find("\r\n\r\n", before);
        if (end == std::string::npos) {
            return head_.size() > longest_head ? State::malformed : State::incomplete;
        }
        if (finish_head(std::string_view(head_).substr(0, end)) == State::malformed) {
            return State::malformed;
        }
        in_body_ = true;
        bytes = std::string_view(head_).substr(end + 4);
    }
    if (bytes.size() > body_left_) {
        return State::malformed;
    }
    if (body_start_.size() < kept_of_body) {
        body_start_ += bytes.substr(0, kept_of_body - body_start_.size());
    }
    body_left_ -= bytes.size();
    return body_left_ == 0 ? State::complete : State::incomplete;
}

Answer::State Answer::finish_head(std::string_view head) {
    if (!head.starts_with("HTTP/1.1 ") || head.size() < 12 ||
        !read_number(head.substr(9, 3), status_)) {
        return State::malformed;
    }
    auto length = field(head, "content-length");
    bool bodiless = status_ == 204 || status_ == 304;
    if (field(head, "transfer-encoding") || (!length && !bodiless)) {
        return State::malformed;
    }
    body_left_ = 0;
    if (length && !bodiless && !read_number(*length, body_left_)) {
        return State::malformed;
    }
    auto connection = field(head, "connection");
    closes_ = connection && same_word(*connection, "close");
    return State::incomplete;
}

void Answer::reset() {
    head_.clear();
    body_start_.clear();
    body_left_ = 0;
    in_body_ = false;
    status_ = 0;
    closes_ = false;
}

long Answer::accepted() const {
    constexpr std::string_view start = R"({"accepted":)";
    long number = -1;
    if (!body_start_.starts_with(start) ||
        !read_number(std::string_view(body_start_).substr(start.size()), number)) {
        return -1;
    }
    return number;
}

}  // namespace adtally::load
