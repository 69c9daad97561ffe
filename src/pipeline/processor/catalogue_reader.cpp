#include "pipeline/processor/catalogue_reader.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <optional>

#include "domain/validation.hpp"

namespace adtally::processor {
namespace {

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

Processor::CatalogueReader::CatalogueReader(eventlog::EventLog& log, std::string topic,
                                            domain::Catalogue& catalogue)
    : log_(log), topic_(std::move(topic)), catalogue_(catalogue) {}

void Processor::CatalogueReader::on_assigned(std::span<const Partition> partitions) {
    for (Partition partition : partitions) {
        auto watermarks = consumer_->watermarks(partition);
        if (watermarks)
            (void)consumer_->seek(partition, watermarks.value().begin);
    }
}

void Processor::CatalogueReader::on_revoked(std::span<const Partition>) {}

Status Processor::CatalogueReader::read_new() {
    constexpr std::size_t records_at_once = 10'000;
    if (consumer_ == nullptr) {
        if (!log_.topic(topic_))
            return ok();
        ADTALLY_TRY(consumer_, log_.consumer(topic_, *this));
    }
    while (true) {
        fetched_.clear();
        ADTALLY_TRY(consumer_->poll(fetched_, records_at_once, Deadline::after(Milliseconds{0})));
        if (fetched_.records.empty())
            return ok();
        for (const eventlog::FetchedRecord& record : fetched_.records) {
            auto campaign = domain::parse_decimal(record.key);
            auto bid = record.value.empty() ? std::nullopt : parse_bid(record.value);
            if (!campaign || (!record.value.empty() && !bid))
                skipped_ += 1;
            else if (bid)
                catalogue_.set(domain::CampaignId{*campaign}, *bid);
            else
                catalogue_.remove(domain::CampaignId{*campaign});
        }
    }
}

}  // namespace adtally::processor
