// For tests only: a schema with one setting of each kind, and a file that goes with its test.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "platform/config/settings.hpp"

namespace adtally::config {

inline std::vector<Setting> example_schema() {
    return {
        {.key = "collector.ack-deadline-ms",
         .kind = Kind::integer,
         .meaning = "How long an append may take before 503.",
         .unit = "ms",
         .default_value = "2000",
         .min = 1,
         .max = 60'000,
         .live = true},
        {.key = "collector.unknown-fields",
         .kind = Kind::choice,
         .meaning = "What happens to a field | nobody knows.",
         .default_value = "reject",
         .choices = {"reject", "keep", "off"}},
        {.key = "collector.trusted-proxies",
         .kind = Kind::text_list,
         .meaning = "Whose X-Forwarded-For is believed."},
        {.key = "collector.click-secret",
         .kind = Kind::text,
         .meaning = "Signs click targets.",
         .default_value = "built-in-secret",
         .secret = true},
        {.key = "alert.ctr-threshold",
         .kind = Kind::number,
         .meaning = "CTR above which an incident opens.",
         .default_value = "0.1",
         .min = 0,
         .max = 1,
         .live = true},
        {.key = "alert.enabled",
         .kind = Kind::boolean,
         .meaning = "Whether incidents are delivered.",
         .default_value = "true"},
        {.key = "alert.pin",
         .kind = Kind::integer,
         .meaning = "A secret number.",
         .default_value = "1234",
         .min = 0,
         .max = 9999,
         .secret = true},
        {.key = "data-dir",
         .kind = Kind::text,
         .meaning = "Where data lives.",
         .default_value = "./data"},
    };
}

class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view content) {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "adtally-config-XXXXXX").string();
        ADTALLY_ASSERT(mkdtemp(pattern.data()) != nullptr);
        directory_ = pattern;
        std::ofstream(path(), std::ios::binary) << content;
    }
    ~TemporaryFile() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    std::filesystem::path path() const { return directory_ / "adtally.yaml"; }
    const std::filesystem::path& directory() const { return directory_; }

private:
    std::filesystem::path directory_;
};

}  // namespace adtally::config
