#include "app/replay/ipinyou_reader.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>

#include "domain/codec.hpp"
#include "domain/validation.hpp"

namespace adtally::replay {
namespace {

namespace json = boost::json;

constexpr std::size_t column_count = 24;
enum Column : std::size_t {
    bid_id = 0,
    timestamp = 1,
    log_type = 2,
    user_id = 3,
    user_agent = 4,
    ip = 5,
    creative = 18,
    pay_price = 20,
    advertiser = 22,
};

// As domain::parse_decimal, but for a fixed slice that may begin with zeros.
std::optional<int> digits(std::string_view text) {
    int number = 0;
    for (char digit : text) {
        if (digit < '0' || digit > '9') {
            return std::nullopt;
        }
        number = number * 10 + (digit - '0');
    }
    return number;
}

// yyyyMMddHHmmssSSS, China standard time, which has no summer time.
std::optional<TimestampMs> parse_time(std::string_view text) {
    if (text.size() != 17) {
        return std::nullopt;
    }
    auto year = digits(text.substr(0, 4)), month = digits(text.substr(4, 2));
    auto day = digits(text.substr(6, 2)), hour = digits(text.substr(8, 2));
    auto minute = digits(text.substr(10, 2)), second = digits(text.substr(12, 2));
    auto milli = digits(text.substr(14, 3));
    if (!year || !month || !day || !hour || !minute || !second || !milli) {
        return std::nullopt;
    }
    using namespace std::chrono;
    year_month_day date{std::chrono::year{*year}, std::chrono::month(unsigned(*month)),
                        std::chrono::day(unsigned(*day))};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) {
        return std::nullopt;
    }
    auto time = sys_days{date} + hours{*hour - 8} + minutes{*minute} + seconds{*second} +
                milliseconds{*milli};
    return TimestampMs{duration_cast<milliseconds>(time.time_since_epoch()).count()};
}

void put(json::object& event, json::string_view name, const std::string& text) {
    if (!text.empty()) {
        event[name] = text;
    }
}

// Nothing when a column that counts cannot be read.
std::optional<ReplayEvent> to_event(const std::vector<std::string_view>& fields,
                                    const ReaderOptions& options) {
    auto time = parse_time(fields[timestamp]);
    auto ad = domain::parse_decimal(fields[creative]);
    auto campaign = domain::parse_decimal(fields[advertiser]);
    bool impression = fields[log_type] == "1";
    if (!time || !ad || !campaign || (!impression && fields[log_type] != "2")) {
        return std::nullopt;
    }
    json::object event;
    put(event, "event_id", options.event_id_prefix + std::string(fields[bid_id]));
    event["type"] = impression ? "impression" : "click";
    event["ad_id"] = *ad;
    event["campaign_id"] = *campaign;
    put(event, "session_id", clean_text(fields[user_id], domain::limits::session_id_bytes));
    time->value += options.shift_ms;
    std::string when;
    domain::append_rfc3339(*time, when);
    put(event, "timestamp", when);
    if (impression) {
        auto price = domain::parse_decimal(fields[pay_price]);
        if (!price) {
            return std::nullopt;
        }
        event["cost_micros"] = *price;
    }
    put(event, "user_agent", clean_text(fields[user_agent], domain::limits::user_agent_bytes));
    std::string address{fields[ip]};
    std::replace(address.begin(), address.end(), '*', '0');
    put(event, "ip", address);
    return ReplayEvent{json::serialize(event), *time};
}

}  // namespace

Result<bool> IpinyouReader::next(std::vector<ReplayEvent>& into) {
    auto line = lines_.next();
    while (line && line->text.empty()) {
        line = lines_.next();
    }
    if (!line) {
        return false;
    }
    split_fields(line->text, '\t', fields_);
    std::string place = path_ + ":" + std::to_string(line->number) + ": ";
    if (fields_.size() != column_count) {
        return Error{ErrorCode::invalid_argument, place + std::to_string(fields_.size()) +
                                                      " tab-separated columns instead of 24"};
    }
    auto event = to_event(fields_, options_);
    if (!event) {
        return Error{ErrorCode::invalid_argument,
                     place + "time, log type, creative, advertiser or price is not readable"};
    }
    into.push_back(std::move(*event));
    return true;
}

}  // namespace adtally::replay
