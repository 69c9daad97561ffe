#include "pipeline/processor/metric_publisher.hpp"

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <utility>

#include "domain/codec.hpp"
#include "pipeline/processor/metric_json.hpp"

namespace adtally::processor {
namespace {

constexpr auto least_interval = std::chrono::seconds(1);
// Some 140 KB every 50 ms: what a listener's buffer (256 KiB) takes without being closed.
constexpr std::size_t most_a_tick = 500;

struct EntityKey {
    Entity entity;
    std::int64_t id;
    friend bool operator==(const EntityKey&, const EntityKey&) = default;
};

struct EntityHash {
    std::size_t operator()(const EntityKey& key) const noexcept {
        std::uint64_t mixed = static_cast<std::uint64_t>(key.id) * 2 + (key.entity == Entity::ad);
        return static_cast<std::size_t>(mixed * 0x9E3779B97F4A7C15ull);
    }
};

struct Waiting {
    domain::MetricDelta values;
    SteadyTime published{};
    bool queued = false;
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
    std::deque<EntityKey> queue;  // touched and not yet published
    SteadyTime last_tick{};
    SteadyTime last_forgotten{};

    void publish(const EntityKey& key, Waiting& entry, SteadyTime now,
                 eventlog::RecordBatch& batch) {
        entry.queued = false;
        entry.published = now;
        std::string json = metric_event_json({key.entity, key.id, entry.values}, clock.wall());
        batch.add(fmt::format("{}:{}", name_of(key.entity), key.id), json);
        for (const Listener& listener : listeners)
            listener(json);
    }

    // In the order in which they were touched; those published less than a second ago stay.
    void publish_due(SteadyTime now, bool all) {
        eventlog::RecordBatch batch;
        for (std::size_t looked = queue.size(); looked > 0; --looked) {
            if (!all && batch.size() >= most_a_tick)
                break;
            EntityKey key = queue.front();
            queue.pop_front();
            Waiting& entry = waiting[key];
            if (all || now - entry.published >= least_interval)
                publish(key, entry, now, batch);
            else
                queue.push_back(key);
        }
        if (batch.empty())
            return;
        batch.add_header("content-type", "application/json");
        producer.append(topic, std::move(batch), [](Status) {
            // Not waited for: the next change of the entity says it again.
        });
    }

    void forget_quiet(SteadyTime now) {
        boost::unordered::erase_if(waiting, [now](const auto& entry) {
            return !entry.second.queued && now - entry.second.published >= least_interval;
        });
    }
};

MetricPublisher::MetricPublisher(eventlog::Producer& producer, std::string topic,
                                 const Clock& clock, std::vector<Listener> listeners)
    : impl_(std::make_unique<Impl>(
          Impl{producer, std::move(topic), clock, std::move(listeners), {}, {}, {}, {}})) {}
MetricPublisher::~MetricPublisher() = default;

void MetricPublisher::touched(std::span<const EntityTotals> totals) {
    for (const EntityTotals& entry : totals) {
        Waiting& waiting = impl_->waiting[{entry.entity, entry.id}];
        waiting.values = entry.values;
        if (!std::exchange(waiting.queued, true))
            impl_->queue.push_back({entry.entity, entry.id});
    }
}

void MetricPublisher::tick() {
    constexpr auto tick_interval = Milliseconds{50};
    SteadyTime now = impl_->clock.steady();
    if (now - impl_->last_tick < tick_interval)
        return;
    impl_->last_tick = now;
    impl_->publish_due(now, false);
    if (now - impl_->last_forgotten >= least_interval) {
        impl_->last_forgotten = now;
        impl_->forget_quiet(now);
    }
}

void MetricPublisher::flush() {
    impl_->publish_due(impl_->clock.steady(), true);
}

void MetricPublisher::forget_waiting() {
    for (const EntityKey& key : impl_->queue)
        impl_->waiting[key].queued = false;
    impl_->queue.clear();
}

}  // namespace adtally::processor
