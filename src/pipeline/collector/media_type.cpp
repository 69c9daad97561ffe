#include "pipeline/collector/media_type.hpp"

#include <algorithm>

namespace adtally::collector {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal(std::string_view text, std::string_view lower_case) {
    return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                      [](char a, char b) { return lower(a) == b; });
}

bool contains(std::string_view text, std::string_view lower_case) {
    return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                       [](char a, char b) { return lower(a) == b; }) != text.end();
}

}  // namespace

std::string_view media_type(const http::Request& request) {
    std::string_view value = request.header("content-type").value_or("");
    value = value.substr(0, value.find(';'));
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t'))
        value.remove_suffix(1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
        value.remove_prefix(1);
    return value;
}

bool is_json_type(std::string_view type) {
    return type.empty() || equal(type, "application/json") || equal(type, "text/plain");
}

bool is_batch_type(std::string_view type) {
    return is_json_type(type) || equal(type, "application/x-ndjson");
}

bool is_form_type(std::string_view type) {
    return equal(type, "application/x-www-form-urlencoded");
}

bool is_prefetch(const http::Request& request) {
    return contains(request.header("sec-purpose").value_or(""), "prefetch") ||
           contains(request.header("purpose").value_or(""), "prefetch");
}

}  // namespace adtally::collector
