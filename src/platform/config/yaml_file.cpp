#include "platform/config/yaml_file.hpp"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>

namespace adtally::config {
namespace {

constexpr std::size_t kMaxBytes = 1024 * 1024;
constexpr std::size_t kMaxEntries = 10'000;
constexpr int kMaxDepth = 16;

class Flattener {
public:
    Flattener(std::string name, YamlFile& into) : name_(std::move(name)), into_(into) {}

    void document(const YAML::Node& root) {
        if (root.IsNull())
            return;
        if (root.IsMap())
            map(root, "", 1);
        else
            error(root, "the file must hold a map of settings; write `key: value` lines");
    }

private:
    void error(const YAML::Node& at, const std::string& what) {
        into_.errors.push_back(name_ + ":" + std::to_string(at.Mark().line + 1) + ": " + what);
    }

    void map(const YAML::Node& node, const std::string& prefix, int depth) {
        for (const auto& member : node) {
            const YAML::Node& key = member.first;
            if (!key.IsScalar()) {
                error(key, "a key must be plain text");
                continue;
            }
            if (into_.entries.size() >= kMaxEntries)
                return;
            const std::string full = prefix.empty() ? key.Scalar() : prefix + "." + key.Scalar();
            value(full, key, member.second, depth);
        }
    }

    void value(const std::string& key, const YAML::Node& key_node, const YAML::Node& node,
               int depth) {
        YamlEntry entry{key, key_node.Mark().line + 1, {}};
        switch (node.Type()) {
            case YAML::NodeType::Undefined:
            case YAML::NodeType::Null:
                break;
            case YAML::NodeType::Scalar:
                entry.value = node.Scalar();
                break;
            case YAML::NodeType::Sequence:
                if (auto items = list(key, node))
                    entry.value = std::move(*items);
                else
                    return;
                break;
            case YAML::NodeType::Map:
                if (depth >= kMaxDepth) {
                    error(key_node, key + ": nested deeper than 16 levels");
                    return;
                }
                if (node.size() > 0) {
                    map(node, key, depth + 1);
                    return;
                }
                break;
        }
        into_.entries.push_back(std::move(entry));
        if (into_.entries.size() == kMaxEntries)
            error(key_node, "more than 10,000 values; the rest was not read");
    }

    std::optional<std::vector<std::string>> list(const std::string& key, const YAML::Node& node) {
        std::vector<std::string> items;
        for (const YAML::Node& item : node) {
            if (!item.IsScalar()) {
                error(item, key + ": a list may hold plain values only");
                return std::nullopt;
            }
            items.push_back(item.Scalar());
        }
        return items;
    }

    std::string name_;
    YamlFile& into_;
};

// The reason in words when it cannot be read.
std::optional<std::string> read_bytes(const std::filesystem::path& path, std::string& into) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
        return "it is a directory";
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return std::string(std::strerror(errno != 0 ? errno : EIO));
    into.resize(kMaxBytes + 1);
    file.read(into.data(), static_cast<std::streamsize>(into.size()));
    if (file.bad())
        return std::string(std::strerror(EIO));
    into.resize(static_cast<std::size_t>(file.gcount()));
    if (into.size() > kMaxBytes)
        return "it is larger than 1 MiB";
    return std::nullopt;
}

}  // namespace

YamlFile read_yaml(const std::filesystem::path& path) {
    YamlFile out;
    std::string bytes;
    if (const auto reason = read_bytes(path, bytes)) {
        out.errors.push_back(path.string() + ": cannot be read: " + *reason +
                             "; name a readable YAML file with --config");
        return out;
    }
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(bytes);
        if (documents.size() > 1)
            out.errors.push_back(path.string() +
                                 ": holds more than one document; remove the `---` between them");
        for (const YAML::Node& document : documents)
            Flattener(path.string(), out).document(document);
    } catch (const YAML::Exception& exception) {
        out.errors.push_back(path.string() + ":" + std::to_string(exception.mark.line + 1) +
                             ": not YAML: " + exception.msg);
    }
    return out;
}

}  // namespace adtally::config
