#include "platform/config/check.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

namespace adtally::config {
namespace {

constexpr std::size_t kMaxTextBytes = 64 * 1024;
constexpr std::size_t kMaxItems = 1'000;
constexpr std::size_t kMaxShownBytes = 60;

std::string shown_number(double number) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number);
    std::string shortest(buffer, end.ptr);
    if (shortest.find('e') == std::string::npos)
        return shortest;
    if (std::abs(number) < 1e15 && std::trunc(number) == number)
        return std::to_string(static_cast<std::int64_t>(number));
    return shortest;
}

bool bounded(const Setting& setting) {
    return setting.min != 0 || setting.max != 0;
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

// 010 is eight in YAML 1.1 and ten elsewhere: whoever writes it is asked what is meant.
bool has_leading_zero(std::string_view text) {
    if (!text.empty() && text[0] == '-')
        text.remove_prefix(1);
    return text.size() > 1 && text[0] == '0';
}

std::optional<bool> parse_boolean(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower == "true" || lower == "yes" || lower == "on")
        return true;
    if (lower == "false" || lower == "no" || lower == "off")
        return false;
    return std::nullopt;
}

Error refused_as(const Setting& setting, std::string subject, std::string_view why) {
    std::string message = std::move(subject);
    message += " ";
    message += why;
    message += "; allowed: " + allowed(setting);
    std::replace(message.begin(), message.end(), '\n', ' ');
    return {ErrorCode::invalid_argument, std::move(message)};
}

Error refused(const Setting& setting, std::string_view text, std::string_view why) {
    if (setting.secret)
        return refused_as(setting, "the value", why);
    std::string shown = "`" + std::string(text.substr(0, kMaxShownBytes));
    shown += text.size() > kMaxShownBytes ? "…`" : "`";
    return refused_as(setting, std::move(shown), why);
}

Result<std::string> check_integer(const Setting& setting, std::string_view text) {
    const auto number = parse_whole<std::int64_t>(text);
    if (!number || has_leading_zero(text))
        return refused(setting, text, "is not an integer");
    const auto wide = static_cast<long double>(*number);
    if (bounded(setting) && (wide < setting.min || wide > setting.max))
        return refused(setting, text, "is out of bounds");
    return std::string(text);
}

Result<std::string> check_number(const Setting& setting, std::string_view text) {
    const auto number = parse_whole<double>(text);
    if (!number || !std::isfinite(*number))
        return refused(setting, text, "is not a number");
    if (bounded(setting) && (*number < setting.min || *number > setting.max))
        return refused(setting, text, "is out of bounds");
    return std::string(text);
}

}  // namespace

std::string allowed(const Setting& setting) {
    const auto range = [&](std::string kind) {
        if (bounded(setting))
            kind += " from " + shown_number(setting.min) + " to " + shown_number(setting.max);
        return setting.unit.empty() ? kind : kind + " " + setting.unit;
    };
    switch (setting.kind) {
        case Kind::integer:
            return range("integer");
        case Kind::number:
            return range("number");
        case Kind::boolean:
            return "true or false";
        case Kind::text:
            return "text";
        case Kind::text_list:
            return "a list of texts, or one text with commas";
        case Kind::choice: {
            std::string out;
            for (const std::string& choice : setting.choices)
                out += (out.empty() ? "" : ", ") + choice;
            return "one of " + out;
        }
    }
    return {};
}

Result<std::string> check_scalar(const Setting& setting, std::string_view text) {
    if (text.size() > kMaxTextBytes)
        return refused(setting, text, "is longer than 64 KiB");
    switch (setting.kind) {
        case Kind::integer:
            return check_integer(setting, text);
        case Kind::number:
            return check_number(setting, text);
        case Kind::boolean:
            if (const auto truth = parse_boolean(text))
                return std::string(*truth ? "true" : "false");
            return refused(setting, text, "is not a boolean");
        case Kind::text:
        case Kind::text_list:
            return std::string(text);
        case Kind::choice:
            if (std::find(setting.choices.begin(), setting.choices.end(), text) !=
                setting.choices.end())
                return std::string(text);
            return refused(setting, text, "is not a choice");
    }
    return refused(setting, text, "is of no known kind");
}

Result<std::vector<std::string>> check_list(const Setting& setting,
                                            const std::vector<std::string>& items) {
    if (setting.kind != Kind::text_list)
        return refused_as(setting, "a list", "is not expected here");
    if (items.size() > kMaxItems)
        return refused_as(setting, "a list", "of more than 1,000 items is too long");
    for (const std::string& item : items) {
        if (item.size() > kMaxTextBytes)
            return refused(setting, item, "is longer than 64 KiB");
    }
    return items;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> out;
    while (true) {
        const std::size_t comma = text.find(',');
        std::string_view item = text.substr(0, comma);
        const std::size_t first = item.find_first_not_of(" \t");
        if (first != std::string_view::npos) {
            const std::size_t last = item.find_last_not_of(" \t");
            out.emplace_back(item.substr(first, last - first + 1));
        }
        if (comma == std::string_view::npos)
            return out;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace adtally::config
