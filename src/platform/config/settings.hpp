// Configuration as a closed, described schema.
//
// Problem. A typo in a setting must not become a silent default, and an operator must be able to
// ask what a setting means without reading the source. So every setting is described once (meaning,
// unit, default, bounds, secret, live), an unknown key is an error, and all errors are told at
// once.
//
// Sources, weakest first: default, YAML file (--config), environment, --set key=value. Keys are
// dotted kebab case, `collector.ack-deadline-ms`; the environment variable of it is
// ADTALLY_COLLECTOR_ACK_DEADLINE_MS.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace adtally::config {

enum class Kind : std::uint8_t { integer, number, boolean, text, text_list, choice };

struct Setting {
    std::string key{};
    Kind kind = Kind::text;
    std::string meaning{};        // one sentence
    std::string unit{};           // "ms", "bytes", "events/s", or empty
    std::string default_value{};  // as one would write it; text_list: comma-separated
    double min = 0;               // integer, number; both 0: no bounds
    double max = 0;
    std::vector<std::string> choices{};
    bool secret = false;  // never printed
    bool live = false;    // taken over by a reload without a restart
};

// Values of all settings of a schema, checked. Immutable; a reload makes a new one.
class Settings {
public:
    // Assert that the key exists and has that kind.
    std::int64_t integer(std::string_view key) const;
    double number(std::string_view key) const;
    bool boolean(std::string_view key) const;
    const std::string& text(std::string_view key) const;
    std::vector<std::string> text_list(std::string_view key) const;

    // Effective values for people: one `key: value  # source` a line, secrets as ******. It is
    // YAML.
    std::string describe() const;

private:
    friend class Loader;
    struct Value {
        const Setting* setting = nullptr;
        std::string text;                // in one form: booleans are true or false
        std::vector<std::string> items;  // of a text_list
        std::string source;              // where it was set, for people
    };
    const Value& value(std::string_view key, Kind kind) const;
    std::map<std::string, Value, std::less<>> values_;
};

struct Sources {
    std::optional<std::filesystem::path> file{};
    std::map<std::string, std::string>
        environment{};                     // the process environment; only ADTALLY_* read
    std::vector<std::string> overrides{};  // "key=value"
};

class Loader {
public:
    // Asserts on duplicate keys, keys with the same environment variable, and defaults that their
    // own check refuses. The loader must outlive all its Settings.
    explicit Loader(std::vector<Setting> schema);
    const std::vector<Setting>& schema() const { return schema_; }
    // The message lists every error, one a line: what is wrong, where, and what is allowed; for an
    // unknown key the nearest known one.
    Result<Settings> load(const Sources& sources) const;
    // Keys that differ and are live; keys that differ and are not live come second.
    std::pair<std::vector<std::string>, std::vector<std::string>> changes(
        const Settings& before, const Settings& after) const;

private:
    class Draft;
    std::vector<Setting> schema_;
};

// ADTALLY_COLLECTOR_ACK_DEADLINE_MS of collector.ack-deadline-ms.
std::string environment_name(std::string_view key);

// A Markdown table of all settings, sorted by key: for the documentation and `check-config`.
std::string describe_schema(const std::vector<Setting>& schema);

}  // namespace adtally::config
