// The configuration in force, and how live settings are taken over while running.
//
// Threads. current() and reload() from any; listeners run on the thread that reloads.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "app/launch_options.hpp"
#include "platform/config/settings.hpp"

namespace adtally::app {

class Configuration {
public:
    // Throws std::runtime_error listing every error at once.
    explicit Configuration(const LaunchOptions& launch);

    config::Settings current() const;
    // Called with the new settings after each reload that changed something live.
    void on_change(std::function<void(const config::Settings&)> listener);
    // Reads all sources again. Returns the live keys that changed. With an error in the sources
    // everything stays as it is, and the error is logged.
    std::vector<std::string> reload();

private:
    config::Sources sources_;
    config::Loader loader_;
    mutable std::mutex mutex_;
    config::Settings current_;
    std::vector<std::function<void(const config::Settings&)>> listeners_;
};

}  // namespace adtally::app
