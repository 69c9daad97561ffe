#include "platform/config/settings.hpp"

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "platform/config/check.hpp"

namespace adtally::config {
namespace {

constexpr const char* kHidden = "******";

template <class Number>
Number parsed(const std::string& text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    ADTALLY_ASSERT(error == std::errc{} && end == text.data() + text.size());
    return number;
}

// YAML that reads back as the same text: bare words stay bare, the rest is quoted.
std::string yaml_text(std::string_view text) {
    const auto harmless = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '/' || c == '-' || c == '+' || c == ':';
    };
    const bool bare = !text.empty() && text[0] != '-' && text[0] != ':' && text.back() != ':' &&
                      std::all_of(text.begin(), text.end(), harmless);
    if (bare)
        return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + '"';
}

std::string yaml_list(const std::vector<std::string>& items) {
    std::string out = "[";
    for (const std::string& item : items)
        out += (out.size() == 1 ? "" : ", ") + yaml_text(item);
    return out + "]";
}

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|')
            out += "\\|";
        else
            out += c == '\n' ? ' ' : c;
    }
    return out;
}

std::string default_cell(const Setting& setting) {
    if (setting.secret)
        return "secret";
    return setting.default_value.empty() ? "–" : "`" + cell(setting.default_value) + "`";
}

}  // namespace

const Settings::Value& Settings::value(std::string_view key, Kind kind) const {
    const auto found = values_.find(key);
    ADTALLY_ASSERT(found != values_.end());
    ADTALLY_ASSERT(found->second.setting->kind == kind);
    return found->second;
}

std::int64_t Settings::integer(std::string_view key) const {
    return parsed<std::int64_t>(value(key, Kind::integer).text);
}

double Settings::number(std::string_view key) const {
    return parsed<double>(value(key, Kind::number).text);
}

bool Settings::boolean(std::string_view key) const {
    return value(key, Kind::boolean).text == "true";
}

const std::string& Settings::text(std::string_view key) const {
    const auto found = values_.find(key);
    ADTALLY_ASSERT(found != values_.end());
    return value(key, found->second.setting->kind == Kind::choice ? Kind::choice : Kind::text).text;
}

std::vector<std::string> Settings::text_list(std::string_view key) const {
    return value(key, Kind::text_list).items;
}

std::string Settings::describe() const {
    std::string out;
    for (const auto& [key, value] : values_) {
        std::string shown;
        if (value.setting->secret)
            shown = kHidden;
        else if (value.setting->kind == Kind::text_list)
            shown = yaml_list(value.items);
        else
            shown = yaml_text(value.text);
        out += key + ": " + shown + "  # " + value.source + "\n";
    }
    return out;
}

std::string environment_name(std::string_view key) {
    std::string out = "ADTALLY_";
    for (const char c : key) {
        if (c == '.' || c == '-')
            out += '_';
        else
            out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return out;
}

std::string describe_schema(const std::vector<Setting>& schema) {
    std::vector<const Setting*> sorted;
    for (const Setting& setting : schema)
        sorted.push_back(&setting);
    std::sort(sorted.begin(), sorted.end(),
              [](const Setting* a, const Setting* b) { return a->key < b->key; });
    std::string out =
        "| setting | meaning | allowed | default | live | environment |\n"
        "|---|---|---|---|---|---|\n";
    for (const Setting* setting : sorted) {
        out += "| `" + setting->key + "` | " + cell(setting->meaning) + " | " +
               cell(allowed(*setting)) + " | " + default_cell(*setting) + " | " +
               (setting->live ? "yes" : "no") + " | `" + environment_name(setting->key) + "` |\n";
    }
    return out;
}

}  // namespace adtally::config
