#include "pipeline/processor/catalogue_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "domain/validation.hpp"

namespace adtally::processor {
namespace {

constexpr std::size_t records_at_once = 10'000;
constexpr Milliseconds patience{5'000};
constexpr Milliseconds pause{1'000};  // between two readers
constexpr Milliseconds longest_pause{45'000};

std::optional<domain::PricingModel> parse_model(std::string_view text) {
    if (text == "CPM")
        return domain::PricingModel::cpm;
    if (text == "CPC")
        return domain::PricingModel::cpc;
    if (text == "CPA")
        return domain::PricingModel::cpa;
    return std::nullopt;
}

std::optional<domain::Bid> parse_bid(std::string_view json) {
    boost::system::error_code failed;
    boost::json::value document = boost::json::parse(json, failed);
    if (failed || !document.is_object())
        return std::nullopt;
    const auto* model = document.get_object().if_contains("model");
    const auto* amount = document.get_object().if_contains("bid_micros");
    if (model == nullptr || !model->is_string() || amount == nullptr || !amount->is_int64())
        return std::nullopt;
    auto parsed = parse_model(std::string_view(model->get_string()));
    std::int64_t micros = amount->get_int64();
    if (!parsed || micros < 0 || micros > domain::max_event_micros)
        return std::nullopt;
    return domain::Bid{*parsed, domain::Micros{micros}};
}

}  // namespace

CatalogueReader::CatalogueReader(eventlog::EventLog& log, std::string topic,
                                 domain::Catalogue& catalogue)
    : log_(log), topic_(std::move(topic)), catalogue_(catalogue) {}

// Stops at the first that does not answer: that takes seconds, and all of them are needed.
void CatalogueReader::on_assigned(std::span<const Partition> partitions) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    for (Partition partition : partitions) {
        const auto watermarks = consumer_->watermarks(partition);
        const Status sought = watermarks ? consumer_->seek(partition, watermarks.value().begin)
                                         : Status{watermarks.error()};
        if (!sought) {
            unsought_ = sought.error();
            break;
        }
        if (watermarks.value().begin < watermarks.value().end)
            missing_[partition] = Offset{watermarks.value().end.value - 1};
    }
    asked_for_ = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
}

void CatalogueReader::on_revoked(std::span<const Partition>) {}

// Stays without a reader while there is no such topic.
Status CatalogueReader::open() {
    const auto info = log_.topic(topic_);
    if (!info && info.error().code == ErrorCode::not_found)
        return ok();
    if (!info)
        return info.error();
    if (!again_.passed())
        return why_;
    again_ = Deadline::after(pause);
    auto opened = log_.consumer(topic_, *this);
    if (!opened)
        return why_ = opened.error();
    consumer_ = std::move(opened.value());
    fresh_ = {};
    filled_ = false;
    moves_by_ = Deadline::after(patience);
    return ok();
}

// One that has ended, or whose position is gone, never reads again: it is replaced.
Status CatalogueReader::failed(Error why) {
    if (consumer_->ended() || why.code == ErrorCode::not_found)
        return begin_anew(std::move(why));
    return why;
}

// Where bids are known, what waits for an answer holds up the events that they are for.
Status CatalogueReader::begin_anew(Error why) {
    consumer_.reset();
    missing_.clear();
    unsought_.reset();
    if (loaded_)
        again_ = Deadline::after(
            std::clamp<Milliseconds>(20 * std::exchange(asked_for_, {}), pause, longest_pause));
    return why_ = std::move(why);
}

Status CatalogueReader::read_new() {
    if (consumer_ == nullptr) {
        ADTALLY_TRY(open());
        if (consumer_ == nullptr) {
            loaded_ = true;
            return ok();
        }
    }
    const Deadline deadline = Deadline::after(loaded_ ? Milliseconds{0} : patience);
    while (true) {
        fetched_.clear();
        // The first poll assigns; only what is known to be missing is waited for.
        const Deadline now = Deadline::after(Milliseconds{0});
        if (Status polled =
                consumer_->poll(fetched_, records_at_once, missing_.empty() ? now : deadline);
            !polled)
            return failed(std::move(polled.error()));
        if (unsought_)
            return begin_anew(*unsought_);
        const bool nothing = fetched_.records.empty();
        take_all();
        if (filled_ && nothing)
            return ok();
        if (!nothing)
            moves_by_ = Deadline::after(patience);
        if (!filled_ && moves_by_.passed())
            return begin_anew({ErrorCode::unavailable,
                               fmt::format("the bids in {} could not be read: none came for {} ms",
                                           topic_, patience.count())});
        if (loaded_ && nothing)
            return ok();
        if (!loaded_ && deadline.passed())
            return Error{ErrorCode::unavailable,
                         fmt::format("the bids in {} are still being read", topic_)};
    }
}

void CatalogueReader::take_all() {
    for (const eventlog::FetchedRecord& record : fetched_.records)
        take(record);
    const auto needed = missing_.find(fetched_.partition);
    if (!fetched_.records.empty() && needed != missing_.end() &&
        fetched_.records.back().offset >= needed->second)
        missing_.erase(needed);
    if (filled_ || !missing_.empty())
        return;
    catalogue_ = std::exchange(fresh_, {});
    filled_ = true;
    loaded_ = true;
}

void CatalogueReader::take(const eventlog::FetchedRecord& record) {
    domain::Catalogue& catalogue = filled_ ? catalogue_ : fresh_;
    auto campaign = domain::parse_decimal(record.key);
    auto bid = record.value.empty() ? std::nullopt : parse_bid(record.value);
    if (!campaign || (!record.value.empty() && !bid))
        skipped_ += 1;
    else if (bid)
        catalogue.set(domain::CampaignId{*campaign}, *bid);
    else
        catalogue.remove(domain::CampaignId{*campaign});
}

}  // namespace adtally::processor
