// Reads the sources from the weakest to the strongest into one draft, and collects every error on
// the way: a value that a stronger source replaces is checked all the same, because it would come
// back on the day the stronger one goes.
#include <algorithm>
#include <set>
#include <variant>

#include "base/assert.hpp"
#include "platform/config/check.hpp"
#include "platform/config/nearest.hpp"
#include "platform/config/settings.hpp"
#include "platform/config/yaml_file.hpp"

namespace adtally::config {
namespace {

constexpr std::string_view kPrefix = "ADTALLY_";

bool is_key(std::string_view key) {
    const auto allowed_character = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    };
    return !key.empty() && std::all_of(key.begin(), key.end(), allowed_character);
}

// A stranger's key may hold anything; a message is one line.
std::string shown_key(std::string_view key) {
    constexpr std::size_t kMaxShown = 100;
    std::string out;
    for (const char c : key.substr(0, kMaxShown))
        out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return key.size() > kMaxShown ? out + "…" : out;
}

// `collector:` with all its lines commented out is no mistake.
bool is_section(const std::vector<Setting>& schema, const std::string& key) {
    const std::string prefix = key + ".";
    return std::any_of(schema.begin(), schema.end(), [&](const Setting& setting) {
        return setting.key.compare(0, prefix.size(), prefix) == 0;
    });
}

bool default_is_allowed(const Setting& setting) {
    if (setting.kind == Kind::text_list)
        return static_cast<bool>(check_list(setting, split_list(setting.default_value)));
    return static_cast<bool>(check_scalar(setting, setting.default_value));
}

}  // namespace

class Loader::Draft {
public:
    explicit Draft(const std::vector<Setting>& schema) : schema_(schema) {
        for (const Setting& setting : schema) {
            keys_.push_back(setting.key);
            variables_.push_back(environment_name(setting.key));
            by_key_.emplace(setting.key, &setting);
            by_variable_.emplace(variables_.back(), &setting);
            scalar("", setting, setting.default_value, "default");
        }
    }

    void file(const std::filesystem::path& path) {
        YamlFile yaml = read_yaml(path);
        errors_ = std::move(yaml.errors);
        std::map<std::string, int, std::less<>> first_lines;
        for (const YamlEntry& entry : yaml.entries) {
            const std::string where = path.string() + ":" + std::to_string(entry.line);
            const auto [seen, is_first] = first_lines.emplace(entry.key, entry.line);
            if (is_first)
                file_entry(where, entry);
            else
                error(where, entry.key,
                      "set twice, first in line " + std::to_string(seen->second) +
                          "; remove one of them");
        }
    }

    void environment(const std::map<std::string, std::string>& variables) {
        for (const auto& [name, text] : variables) {
            if (name.compare(0, kPrefix.size(), kPrefix) != 0)
                continue;
            const auto found = by_variable_.find(name);
            if (found == by_variable_.end())
                errors_.push_back("environment: " + shown_key(name) + ": " +
                                  unknown("unknown variable", name, variables_));
            else
                scalar("environment " + name + ": ", *found->second, text, "environment " + name);
        }
    }

    // A text without `=` is not repeated in the message: it might be a secret.
    void overrides(const std::vector<std::string>& texts) {
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const std::string& text = texts[i];
            const std::size_t equals = text.find('=');
            if (equals == std::string::npos || equals == 0) {
                errors_.push_back("--set number " + std::to_string(i + 1) +
                                  ": is not key=value; write --set key=value");
                continue;
            }
            const std::string key = text.substr(0, equals);
            const auto found = by_key_.find(key);
            if (found == by_key_.end())
                errors_.push_back("--set: " + shown_key(key) + ": " +
                                  unknown("unknown setting", key, keys_));
            else
                scalar("--set: ", *found->second, text.substr(equals + 1), "--set");
        }
    }

    const std::vector<std::string>& errors() const { return errors_; }
    Settings take() { return std::move(settings_); }

private:
    void error(const std::string& where, std::string_view key, const std::string& what) {
        errors_.push_back(where + ": " + shown_key(key) + ": " + what);
    }

    static std::string unknown(std::string_view what, std::string_view name,
                               const std::vector<std::string>& known) {
        const std::string best = nearest(name, known);
        return std::string(what) +
               (best.empty() ? "; none is known" : "; did you mean " + best + "?");
    }

    void file_entry(const std::string& where, const YamlEntry& entry) {
        const auto found = by_key_.find(entry.key);
        const bool nothing = std::holds_alternative<std::monostate>(entry.value);
        if (found == by_key_.end()) {
            if (!nothing || !is_section(schema_, entry.key))
                error(where, entry.key, unknown("unknown setting", entry.key, keys_));
            return;
        }
        const Setting& setting = *found->second;
        if (nothing)
            error(where, entry.key,
                  "has no value; allowed: " + allowed(setting) +
                      "; remove the line for the default, write \"\" for an empty text");
        else if (const auto* text = std::get_if<std::string>(&entry.value))
            scalar(where + ": ", setting, *text, where);
        else
            list(where + ": ", setting, std::get<std::vector<std::string>>(entry.value), where);
    }

    void scalar(const std::string& prefix, const Setting& setting, const std::string& text,
                const std::string& source) {
        if (setting.kind == Kind::text_list) {
            list(prefix, setting, split_list(text), source);
            return;
        }
        Result<std::string> checked = check_scalar(setting, text);
        if (!checked) {
            errors_.push_back(prefix + setting.key + ": " + checked.error().message);
            return;
        }
        settings_.values_[setting.key] = {&setting, std::move(checked).value(), {}, source};
    }

    void list(const std::string& prefix, const Setting& setting,
              const std::vector<std::string>& items, const std::string& source) {
        Result<std::vector<std::string>> checked = check_list(setting, items);
        if (!checked) {
            errors_.push_back(prefix + setting.key + ": " + checked.error().message);
            return;
        }
        settings_.values_[setting.key] = {&setting, {}, std::move(checked).value(), source};
    }

    const std::vector<Setting>& schema_;
    std::vector<std::string> keys_;
    std::vector<std::string> variables_;
    std::map<std::string, const Setting*, std::less<>> by_key_;
    std::map<std::string, const Setting*, std::less<>> by_variable_;
    std::vector<std::string> errors_;
    Settings settings_;
};

Loader::Loader(std::vector<Setting> schema) : schema_(std::move(schema)) {
    std::set<std::string> variables;
    for (const Setting& setting : schema_) {
        ADTALLY_ASSERT(is_key(setting.key));
        ADTALLY_ASSERT(setting.min <= setting.max);
        ADTALLY_ASSERT((setting.kind == Kind::choice) == !setting.choices.empty());
        ADTALLY_ASSERT(default_is_allowed(setting));
        // A key twice, or two keys with one variable.
        ADTALLY_ASSERT(variables.insert(environment_name(setting.key)).second);
    }
}

Result<Settings> Loader::load(const Sources& sources) const {
    Draft draft(schema_);
    if (sources.file)
        draft.file(*sources.file);
    draft.environment(sources.environment);
    draft.overrides(sources.overrides);
    if (draft.errors().empty())
        return draft.take();
    std::string message;
    for (const std::string& line : draft.errors())
        message += (message.empty() ? "" : "\n") + line;
    return Error{ErrorCode::invalid_argument, std::move(message)};
}

std::pair<std::vector<std::string>, std::vector<std::string>> Loader::changes(
    const Settings& before, const Settings& after) const {
    std::pair<std::vector<std::string>, std::vector<std::string>> out;
    for (const Setting& setting : schema_) {
        const Settings::Value& old_value = before.value(setting.key, setting.kind);
        const Settings::Value& new_value = after.value(setting.key, setting.kind);
        if (old_value.text != new_value.text || old_value.items != new_value.items)
            (setting.live ? out.first : out.second).push_back(setting.key);
    }
    return out;
}

}  // namespace adtally::config
