// How a flush becomes KEYS and ARGV. The order here and the order in flush_script.cpp are one
// contract; flush_script_test.cpp holds them together.
#include <charconv>

#include "pipeline/processor/redis_sink/flush_script.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::redis_sink {
namespace {

constexpr std::int64_t late_after_ms = 3'600'000;

}  // namespace

void FlushCall::add(std::string_view text) {
    slices_.emplace_back(bytes_.size(), text.size());
    bytes_.append(text);
}

void FlushCall::add(std::int64_t number) {
    char digits[20];
    auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    add(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void FlushCall::add_counters(const domain::MetricDelta& delta) {
    add(delta.impressions);
    add(delta.clicks);
    add(delta.conversions);
    add(delta.cost.value);
    add(delta.value.value);
}

void FlushCall::build(std::string_view topic, const processor::Flush& flush,
                      const processor::Thresholds& thresholds, TimestampMs now) {
    bytes_.clear();
    slices_.clear();
    add(7);
    add(keys::offset(topic, flush.partition));
    add(keys::books(topic, flush.partition));
    add(keys::anomalies);
    add(keys::open_incidents);
    add(keys::ad_windows);
    add(keys::campaign_windows);
    add(keys::dead_lettered(topic, flush.partition));

    add(flush.start.value);
    add(flush.end.value);
    add(flush.first ? 1 : 0);
    add(flush.books.counted);
    add(flush.books.duplicates);
    add(flush.books.dead_lettered);
    add(flush.books.expired);
    add(now.value);
    add(thresholds.ctr_open_millionths);
    add(thresholds.ctr_close_millionths);
    add(thresholds.ctr_min_impressions);
    add(thresholds.session_clicks);

    add_sizes(*flush.deltas);
    add(flush.log_begin.value);
    add_deltas(*flush.deltas, now);
}

void FlushCall::add_sizes(const processor::Deltas& deltas) {
    auto add_size = [this](const auto& list) { add(static_cast<std::int64_t>(list.size())); };
    add_size(deltas.ads);
    add_size(deltas.campaigns);
    add_size(deltas.hours);
    add_size(deltas.days);
    add_size(deltas.windows);
    add_size(deltas.sessions);
    add_size(deltas.dead_letters);
}

void FlushCall::add_deltas(const processor::Deltas& deltas, TimestampMs now) {
    for (const auto& ad : deltas.ads) {
        add(keys::entity(processor::Entity::ad, ad.id));
        add(ad.id);
        add_counters(ad.delta);
    }
    for (const auto& campaign : deltas.campaigns) {
        add(keys::entity(processor::Entity::campaign, campaign.id));
        add(campaign.id);
        add_counters(campaign.delta);
    }
    for (const auto& hour : deltas.hours) {
        add(keys::dated_hour(hour.ad, hour.hour));
        add_counters(hour.delta);
        add(keys::hour_of_day(hour.ad, hour.hour));
        add(domain::format_day(domain::day_of(hour.hour)));
        add(now.value - hour.latest.value > late_after_ms ? 1 : 0);
    }
    for (const auto& day : deltas.days) {
        add(keys::daily(day.ad, day.day));
        add_counters(day.delta);
    }
    for (const auto& window : deltas.windows) {
        add(keys::name_of(window.entity));
        add(window.id);
        add(window.bucket);
        add(window.impressions);
        add(window.clicks);
    }
    for (const auto& session : deltas.sessions) {
        add(keys::session_clicks(session.session));
        add(session.session);
        add(session.clicks);
        add(session.last_click.value);
    }
    for (const auto& places : deltas.dead_letters) {
        add(places.first.value);
        add(places.last.value);
    }
}

void FlushCall::append_to(std::vector<std::string_view>& words) const {
    std::string_view bytes{bytes_};
    for (auto [start, size] : slices_)
        words.push_back(bytes.substr(start, size));
}

}  // namespace adtally::redis_sink
