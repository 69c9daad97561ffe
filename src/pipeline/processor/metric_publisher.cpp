#include "pipeline/processor/metric_publisher.hpp"

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>
#include <utility>

#include "domain/codec.hpp"
#include "pipeline/processor/metric_json.hpp"

namespace adtally::processor {
namespace {

constexpr auto least_interval = std::chrono::seconds(1);

struct EntityKey {
    Entity entity;
    std::int64_t id;
    friend bool operator==(const EntityKey&, const EntityKey&) = default;
};

struct EntityHash {
    std::size_t operator()(const EntityKey& key) const noexcept {
        return std::hash<Strong<EntityKey>>{}(
            Strong<EntityKey>{key.id * 2 + (key.entity == Entity::ad ? 0 : 1)});
    }
};

struct Waiting {
    domain::MetricDelta values;
    SteadyTime published{};
    bool dirty = false;
};

std::string_view name_of(Entity entity) {
    switch (entity) {
        case Entity::ad:
            return "ad";
        case Entity::campaign:
            return "campaign";
    }
    return "ad";
}

}  // namespace

std::string metric_event_json(const EntityTotals& totals, TimestampMs at) {
    std::string time;
    domain::append_rfc3339(at, time);
    return fmt::format(R"({{"entity":"{}","id":"{}",{},"at":"{}"}})", name_of(totals.entity),
                       totals.id, json_members(totals.values), time);
}

struct MetricPublisher::Impl {
    eventlog::Producer& producer;
    std::string topic;
    const Clock& clock;
    std::vector<Listener> listeners;
    boost::unordered_flat_map<EntityKey, Waiting, EntityHash> waiting;
    SteadyTime last_tick{};

    void publish(const EntityKey& key, Waiting& entry, SteadyTime now,
                 eventlog::RecordBatch& batch) {
        entry.dirty = false;
        entry.published = now;
        std::string json = metric_event_json({key.entity, key.id, entry.values}, clock.wall());
        batch.add(fmt::format("{}:{}", name_of(key.entity), key.id), json);
        for (const Listener& listener : listeners)
            listener(json);
    }

    void publish_due(SteadyTime now, bool all) {
        eventlog::RecordBatch batch;
        for (auto it = waiting.begin(); it != waiting.end();) {
            bool due = all || now - it->second.published >= least_interval;
            if (due && it->second.dirty)
                publish(it->first, it->second, now, batch);
            else if (due) {
                waiting.erase(it++);
                continue;
            }
            ++it;
        }
        if (!batch.empty())
            producer.append(topic, std::move(batch), [](Status) {
                // Not waited for: the next change of the entity says it again.
            });
    }
};

MetricPublisher::MetricPublisher(eventlog::Producer& producer, std::string topic,
                                 const Clock& clock, std::vector<Listener> listeners)
    : impl_(std::make_unique<Impl>(
          Impl{producer, std::move(topic), clock, std::move(listeners), {}, {}})) {}
MetricPublisher::~MetricPublisher() = default;

void MetricPublisher::touched(std::span<const EntityTotals> totals) {
    for (const EntityTotals& entry : totals) {
        Waiting& waiting = impl_->waiting[{entry.entity, entry.id}];
        waiting.values = entry.values;
        waiting.dirty = true;
    }
}

void MetricPublisher::tick() {
    constexpr auto tick_interval = Milliseconds{50};
    SteadyTime now = impl_->clock.steady();
    if (now - impl_->last_tick < tick_interval)
        return;
    impl_->last_tick = now;
    impl_->publish_due(now, false);
}

void MetricPublisher::flush() {
    impl_->publish_due(impl_->clock.steady(), true);
}

}  // namespace adtally::processor
