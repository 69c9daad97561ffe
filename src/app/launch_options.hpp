// What the command line says of how to run; the rest is configuration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/crash_points.hpp"
#include "platform/config/settings.hpp"

namespace adtally::app {

struct LaunchOptions {
    std::optional<std::filesystem::path> config_file;
    std::vector<std::string> overrides;  // --set key=value, and what the flags below stand for
    std::filesystem::path data_directory = "data";
    int port_offset = 0;  // added to every port
    CrashPoint crash_at = CrashPoint::none;
    std::int64_t crash_countdown = 1;
};

// Port of a setting with the offset added. Throws std::runtime_error when it leaves 1 … 65535.
std::uint16_t port_of(const config::Settings& settings, std::string_view key,
                      const LaunchOptions& launch);

}  // namespace adtally::app
