// The Open Bandit Dataset: CSV with a header, an impression a row, with `click` 1 a click as well.
//
//   ad_id item_id + 1 · campaign_id 1 · timestamp the row's, for both events
//   event_id "obd-<row>-<checksum of the row>": rows carry no id, and so every replay of a file
//   gives the same ones, while two files do not share any
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/replay/line_source.hpp"
#include "app/replay/reader.hpp"

namespace adtally::replay {

class OpenBanditReader final : public EventReader {
public:
    OpenBanditReader(LineSource lines, std::string path, ReaderOptions options);

    Result<bool> next(std::vector<ReplayEvent>& into) override;

private:
    Result<bool> convert(const Line& line, std::vector<ReplayEvent>& into);

    LineSource lines_;
    std::string path_;
    ReaderOptions options_;
    std::size_t columns_ = 0;
    std::optional<std::size_t> timestamp_, item_, click_;
    std::vector<std::string_view> fields_;
    bool header_reported_ = false;
};

}  // namespace adtally::replay
