#include "app/configuration.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <stdexcept>
#include <utility>

#include "app/settings_schema.hpp"
#include "platform/observability/log.hpp"

namespace adtally::app {
namespace {

std::map<std::string, std::string> process_environment() {
    std::map<std::string, std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::string_view text = *entry;
        std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

}  // namespace

std::uint16_t port_of(const config::Settings& settings, std::string_view key,
                      const LaunchOptions& launch) {
    std::int64_t port = settings.integer(key) + launch.port_offset;
    if (port < 1 || port > 65535)
        throw std::runtime_error(fmt::format(
            "{} with --port-offset {} is {}, which is no port; choose an offset that keeps all "
            "ports between 1 and 65535",
            key, launch.port_offset, port));
    return static_cast<std::uint16_t>(port);
}

Configuration::Configuration(const LaunchOptions& launch)
    : sources_{launch.config_file, process_environment(), launch.overrides},
      loader_(settings_schema()) {
    auto loaded = loader_.load(sources_);
    if (!loaded)
        throw std::runtime_error("the configuration has errors:\n" + loaded.error().message);
    current_ = std::move(loaded.value());
}

config::Settings Configuration::current() const {
    std::lock_guard lock(mutex_);
    return current_;
}

void Configuration::on_change(std::function<void(const config::Settings&)> listener) {
    std::lock_guard lock(mutex_);
    listeners_.push_back(std::move(listener));
}

std::vector<std::string> Configuration::reload() {
    observability::Logger logger("adtally");
    std::lock_guard lock(mutex_);
    auto loaded = loader_.load(sources_);
    if (!loaded) {
        logger.error("configuration not taken over, it has errors",
                     {{"errors", std::string_view(loaded.error().message)}});
        return {};
    }
    auto [live, fixed] = loader_.changes(current_, loaded.value());
    for (const std::string& key : fixed)
        logger.warn("this setting needs a restart", {{"key", std::string_view(key)}});
    current_ = std::move(loaded.value());
    for (const std::string& key : live)
        logger.info("setting taken over", {{"key", std::string_view(key)}});
    if (!live.empty())
        for (auto& listener : listeners_)
            listener(current_);
    return live;
}

}  // namespace adtally::app
