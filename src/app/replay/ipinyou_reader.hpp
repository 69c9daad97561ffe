// The iPinYou contest logs, seasons 2 and 3: 24 tab-separated columns, no header, times in
// Asia/Shanghai. Impression and click files have the same columns; the third says which it is.
//
//   event_id bidid · ad_id creative · campaign_id advertiser · session_id ipinyouid
//   cost_micros payprice, on impressions only · user_agent as given, cleaned · ip with * as 0
#pragma once

#include <string>
#include <vector>

#include "app/replay/line_source.hpp"
#include "app/replay/reader.hpp"

namespace adtally::replay {

class IpinyouReader final : public EventReader {
public:
    IpinyouReader(LineSource lines, std::string path, ReaderOptions options)
        : lines_(std::move(lines)), path_(std::move(path)), options_(std::move(options)) {}

    Result<bool> next(std::vector<ReplayEvent>& into) override;

private:
    LineSource lines_;
    std::string path_;
    ReaderOptions options_;
    std::vector<std::string_view> fields_;
};

}  // namespace adtally::replay
