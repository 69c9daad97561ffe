#include "pipeline/collector/postback.hpp"

#include <array>
#include <utility>

#include "domain/ids.hpp"
#include "domain/money.hpp"
#include "pipeline/collector/crypto.hpp"

namespace adtally::collector {
namespace {

using domain::Rejection;

struct Alias {
    std::string_view name;
    std::string_view field;
};

constexpr std::array aliases{
    Alias{"click_id", "attributes.click_id"},
    Alias{"clickid", "attributes.click_id"},
    Alias{"cid", "attributes.click_id"},
    Alias{"event", "attributes.event"},
    Alias{"goal", "attributes.event"},
    Alias{"value", "value_micros"},
    Alias{"payout", "value_micros"},
    Alias{"amount", "value_micros"},
    Alias{"ts", "timestamp"},
    Alias{"txid", "txid"},
    Alias{"transaction_id", "txid"},
    Alias{"order_id", "txid"},
};

constexpr std::int64_t micros_per_unit = 1'000'000;
constexpr std::size_t fraction_digits = 6;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Epoch seconds are told from milliseconds by their size: as milliseconds they would lie before
// the year 2000, which no event may.
std::string timestamp_of(const std::string& text) {
    auto number = domain::parse_decimal(text);
    bool seconds = number && *number > 0 && *number < domain::limits::min_timestamp_ms &&
                   *number <= domain::limits::max_timestamp_ms / 1000;
    return seconds ? std::to_string(*number * 1000) : text;
}

std::optional<Rejection> convert(std::string_view alias, std::string_view field,
                                 std::string& value) {
    if (field == "value_micros") {
        auto micros = parse_money(value);
        if (!micros)
            return Rejection{"invalid_value", std::string(alias),
                             "not an amount; write digits with at most 6 decimals, as 12.30, up to "
                             "1000000"};
        value = std::to_string(*micros);
    } else if (field == "timestamp") {
        value = timestamp_of(value);
    }
    return std::nullopt;
}

std::optional<Rejection> translate_names(Parameters& parameters) {
    for (auto& [name, value] : parameters) {
        for (const Alias& alias : aliases) {
            if (name != alias.name)
                continue;
            if (auto rejection = convert(alias.name, alias.field, value))
                return rejection;
            name = alias.field;
            break;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_money(std::string_view text) {
    std::size_t point = text.find('.');
    std::string_view whole = text.substr(0, point);
    std::string_view fraction = point == std::string_view::npos ? "" : text.substr(point + 1);
    if (whole.empty() || (point != std::string_view::npos && fraction.empty()))
        return std::nullopt;
    std::int64_t micros = 0;
    for (char c : whole) {
        if (!is_digit(c))
            return std::nullopt;
        micros = micros * 10 + (c - '0');
        if (micros > domain::max_event_micros / micros_per_unit)
            return std::nullopt;
    }
    for (std::size_t i = 0; i < fraction.size() || i < fraction_digits; ++i) {
        char digit = i < fraction.size() ? fraction[i] : '0';
        if (!is_digit(digit) || (i >= fraction_digits && digit != '0'))
            return std::nullopt;
        if (i < fraction_digits)
            micros = micros * 10 + (digit - '0');
    }
    return micros <= domain::max_event_micros ? std::optional(micros) : std::nullopt;
}

std::string transaction_event_id(std::string_view campaign, std::string_view event,
                                 std::string_view transaction) {
    std::string id = "txid:";
    id += campaign;
    id += ':';
    if (!event.empty()) {
        id += event;
        id += ':';
    }
    id += transaction;
    if (domain::is_event_id(id))
        return id;
    return "txid:sha256:" + to_hex(sha256(id)).substr(0, 48);
}

std::optional<Rejection> translate_postback(Parameters& parameters) {
    if (auto rejection = translate_names(parameters))
        return rejection;
    const std::string* transaction = find_parameter(parameters, "txid");
    if (transaction == nullptr)
        return std::nullopt;
    if (transaction->empty())
        return Rejection{"invalid_value", "txid", "empty transaction id; leave it out or fill it"};
    const std::string* campaign = find_parameter(parameters, "campaign_id");
    const std::string* event = find_parameter(parameters, "attributes.event");
    std::string id = transaction_event_id(campaign == nullptr ? "" : *campaign,
                                          event == nullptr ? "" : *event, *transaction);
    std::optional<std::string> taken = take_parameter(parameters, "txid");
    if (find_parameter(parameters, "txid") != nullptr)
        return Rejection{"duplicate_field", "txid",
                         "the transaction id is given twice; give one of txid, transaction_id and "
                         "order_id"};
    // With an id of its own the event keeps it, and the transaction's is kept beside it.
    if (find_parameter(parameters, "event_id") != nullptr)
        parameters.emplace_back("attributes.txid", std::move(*taken));
    else
        parameters.emplace_back("event_id", std::move(id));
    return std::nullopt;
}

PostbackTokens::PostbackTokens(const std::vector<std::string>& tokens) {
    for (const std::string& token : tokens)
        digests_.push_back(sha256(token));
}

bool PostbackTokens::accept(std::string_view presented) const {
    std::string digest = sha256(presented);
    bool accepted = false;
    for (const std::string& known : digests_)
        accepted |= equal_constant_time(known, digest);
    return accepted;
}

}  // namespace adtally::collector
