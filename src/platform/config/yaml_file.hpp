// A YAML file as a flat list of dotted keys with their lines; the only place that knows yaml-cpp.
//
// Nested maps join their keys with dots, a list of plain values stays a list. Everything is text
// here: what kind a value must be is the schema's to say. Limits: 1 MiB, 16 levels, 10,000 values
// (aliases may multiply, so the count is taken after they are followed).
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace adtally::config {

struct YamlEntry {
    std::string key;
    int line = 0;
    // monostate: nothing there (null or an empty map)
    std::variant<std::monostate, std::string, std::vector<std::string>> value;
};

struct YamlFile {
    std::vector<YamlEntry> entries;   // in the file's order; a key may occur twice
    std::vector<std::string> errors;  // each `file:line: what; remedy`
};

YamlFile read_yaml(const std::filesystem::path& path);

}  // namespace adtally::config
