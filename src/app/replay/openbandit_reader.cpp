#include "app/replay/openbandit_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "domain/codec.hpp"
#include "domain/validation.hpp"

namespace adtally::replay {
namespace {

namespace json = boost::json;

std::optional<std::size_t> column(const std::vector<std::string_view>& names,
                                  std::string_view name) {
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - names.begin());
}

// FNV-1a: a checksum that is the same on every machine.
std::uint32_t checksum(std::string_view text) {
    std::uint32_t hash = 2'166'136'261u;
    for (char byte : text) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 16'777'619u;
    }
    return hash;
}

// "2019-11-24 00:01:29.788335+00:00"; the fraction may be absent.
std::optional<TimestampMs> parse_time(std::string_view text) {
    std::string standard{text};
    if (standard.size() > 10 && standard[10] == ' ') {
        standard[10] = 'T';
    }
    return domain::parse_rfc3339(standard);
}

}  // namespace

OpenBanditReader::OpenBanditReader(LineSource lines, std::string path, ReaderOptions options)
    : lines_(std::move(lines)), path_(std::move(path)), options_(std::move(options)) {
    std::vector<std::string_view> names;
    split_fields(lines_.first(), ',', names);
    columns_ = names.size();
    timestamp_ = column(names, "timestamp");
    item_ = column(names, "item_id");
    click_ = column(names, "click");
}

Result<bool> OpenBanditReader::next(std::vector<ReplayEvent>& into) {
    if (!timestamp_ || !item_ || !click_) {
        if (header_reported_) {
            return false;
        }
        header_reported_ = true;
        return Error{ErrorCode::invalid_argument,
                     path_ + ":1: the header needs the columns timestamp, item_id and click"};
    }
    while (auto line = lines_.next()) {
        if (line->number > 1 && !line->text.empty()) {
            return convert(*line, into);
        }
    }
    return false;
}

Result<bool> OpenBanditReader::convert(const Line& line, std::vector<ReplayEvent>& into) {
    split_fields(line.text, ',', fields_);
    std::string place = fmt::format("{}:{}: ", path_, line.number);
    if (fields_.size() != columns_) {
        return Error{ErrorCode::invalid_argument,
                     place + fmt::format("{} columns instead of {}", fields_.size(), columns_)};
    }
    auto time = parse_time(fields_[*timestamp_]);
    auto item = domain::parse_decimal(fields_[*item_]);
    std::string_view click = fields_[*click_];
    if (!time || !item || (click != "0" && click != "1")) {
        return Error{ErrorCode::invalid_argument,
                     place + "timestamp, item_id or click is not readable"};
    }
    time->value += options_.shift_ms;
    std::string when;
    domain::append_rfc3339(*time, when);
    json::object event;
    event["event_id"] = fmt::format("{}obd-{}-{:08x}", options_.event_id_prefix, line.number - 1,
                                    checksum(line.text));
    event["type"] = "impression";
    event["ad_id"] = *item + 1;
    event["campaign_id"] = 1;
    event["timestamp"] = when;
    into.push_back(ReplayEvent{json::serialize(event), *time});
    if (click == "1") {
        event["type"] = "click";
        into.push_back(ReplayEvent{json::serialize(event), *time});
    }
    return true;
}

}  // namespace adtally::replay
