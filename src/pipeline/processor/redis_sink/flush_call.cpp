// How a flush becomes KEYS and ARGV. The order here and the order in flush_script.cpp are one
// contract; flush_script_test.cpp holds them together.
#include <charconv>
#include <utility>

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

void FlushCall::build(std::string_view topic, Flushes flushes,
                      const processor::Thresholds& thresholds, TimestampMs now) {
    flushes_ = std::move(flushes);
    deltas_.clear();
    for (const processor::Flush* flush : flushes_)
        append(deltas_, *flush->deltas);
    if (flushes_.size() > 1)
        sort_and_merge(deltas_);
    bytes_.clear();
    slices_.clear();

    add(static_cast<std::int64_t>(key_count()));
    add(keys::anomalies);
    add(keys::open_incidents);
    add(keys::ad_windows);
    add(keys::campaign_windows);
    for (const processor::Flush* flush : flushes_) {
        add(keys::offset(topic, flush->partition));
        add(keys::books(topic, flush->partition));
        add(keys::dead_lettered(topic, flush->partition));
    }
    add(static_cast<std::int64_t>(flushes_.size()));
    add(now.value);
    add_thresholds(thresholds);
    add_sizes();
    add_heads();
    add_entities();
    add_buckets(now);
    add_anomalies_input();
    for (const processor::Flush* flush : flushes_) {
        for (const auto& places : flush->deltas->dead_letters) {
            add(places.first.value);
            add(places.last.value);
        }
    }
}

void FlushCall::add_thresholds(const processor::Thresholds& thresholds) {
    add(thresholds.ctr_open_millionths);
    add(thresholds.ctr_close_millionths);
    add(thresholds.ctr_min_impressions);
    add(thresholds.session_clicks);
}

void FlushCall::add_sizes() {
    auto add_size = [this](const auto& list) { add(static_cast<std::int64_t>(list.size())); };
    add_size(deltas_.ads);
    add_size(deltas_.campaigns);
    add_size(deltas_.hours);
    add_size(deltas_.days);
    add_size(deltas_.windows);
    add_size(deltas_.sessions);
}

void FlushCall::add_heads() {
    for (const processor::Flush* flush : flushes_) {
        add(flush->start.value);
        add(flush->end.value);
        add(flush->first ? 1 : 0);
        add(flush->books.counted);
        add(flush->books.duplicates);
        add(flush->books.dead_lettered);
        add(flush->books.expired);
        add(flush->log_begin.value);
        add(static_cast<std::int64_t>(flush->deltas->dead_letters.size()));
    }
}

void FlushCall::add_entities() {
    for (const auto& ad : deltas_.ads) {
        add(keys::entity(processor::Entity::ad, ad.id));
        add(ad.id);
        add_counters(ad.delta);
    }
    for (const auto& campaign : deltas_.campaigns) {
        add(keys::entity(processor::Entity::campaign, campaign.id));
        add(campaign.id);
        add_counters(campaign.delta);
    }
}

void FlushCall::add_buckets(TimestampMs now) {
    for (const auto& hour : deltas_.hours) {
        add(keys::dated_hour(hour.ad, hour.hour));
        add_counters(hour.delta);
        add(keys::hour_of_day(hour.ad, hour.hour));
        add(domain::format_day(domain::day_of(hour.hour)));
        add(now.value - hour.latest.value > late_after_ms ? 1 : 0);
    }
    for (const auto& day : deltas_.days) {
        add(keys::daily(day.ad, day.day));
        add_counters(day.delta);
    }
}

void FlushCall::add_anomalies_input() {
    for (const auto& window : deltas_.windows) {
        add(keys::name_of(window.entity));
        add(window.id);
        add(window.bucket);
        add(window.impressions);
        add(window.clicks);
    }
    for (const auto& session : deltas_.sessions) {
        add(keys::session_clicks(session.session));
        add(session.session);
        add(session.clicks);
        add(session.last_click.value);
    }
}

void FlushCall::append_to(std::vector<std::string_view>& words) const {
    std::string_view bytes{bytes_};
    for (auto [start, size] : slices_)
        words.push_back(bytes.substr(start, size));
}

}  // namespace adtally::redis_sink
