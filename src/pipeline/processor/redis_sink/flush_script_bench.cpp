// What a flush costs Redis, in CPU of its process, an event: by how many events a flush folds.
//
// Events as adtally-load makes them: 1,000 ads by Zipf's law over 50 campaigns and 12 partitions,
// 3 % clicks, all of now. The control writes the same sums with one INCRBY each, pipelined:
// no ratios, no windows, no rank, and nothing that makes it one step.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <array>
#include <random>
#include <stdexcept>

#include "domain/event.hpp"
#include "pipeline/processor/aggregator.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/redis_store.hpp"
#include "platform/redis/test_support.hpp"

namespace adtally::redis_sink {
namespace {

using processor::Aggregator;
using processor::Deltas;
using processor::Flush;

constexpr std::size_t partitions = 12;
constexpr std::size_t ads = 1'000;
constexpr std::int64_t campaigns = 50;

// Folded events of each partition, made anew before each flush.
class Traffic {
public:
    void fold(std::size_t events) {
        for (auto& aggregator : aggregators_)
            aggregator.clear();
        counted_.fill(0);
        for (std::size_t i = 0; i < events; ++i) {
            const std::size_t ad = by_zipf_(random_) + 1;
            const bool click = std::uniform_real_distribution<double>{0, 1}(random_) < 0.03;
            domain::Event event;
            event.type = click ? domain::EventType::click : domain::EventType::impression;
            event.ad_id = domain::AdId{static_cast<std::int64_t>(ad)};
            event.campaign_id = domain::CampaignId{static_cast<std::int64_t>(ad) % campaigns + 1};
            event.timestamp = SystemClock{}.wall();
            const std::size_t partition = ad * 7'919 % partitions;
            aggregators_[partition].add(event, domain::Nanos{click ? 0 : 2'500'000});
            counted_[partition] += 1;
        }
        for (std::size_t i = 0; i < partitions; ++i)
            aggregators_[i].roll_up(deltas_[i]);
    }
    // The next step of every partition that has events; `next` moves on with it.
    std::vector<Flush> flushes(std::array<std::int64_t, partitions>& next) const {
        std::vector<Flush> list;
        for (std::size_t i = 0; i < partitions; ++i) {
            if (counted_[i] == 0)
                continue;
            processor::Books books;
            books.counted = counted_[i];
            list.push_back({Partition{static_cast<std::int32_t>(i)}, Offset{next[i]},
                            Offset{next[i] + counted_[i]}, next[i] == 0, books, &deltas_[i]});
            next[i] += counted_[i];
        }
        return list;
    }
    const std::array<Deltas, partitions>& deltas() const { return deltas_; }

private:
    std::discrete_distribution<std::size_t> by_zipf_{ads, 0.5, ads + 0.5,
                                                     [](double rank) { return 1 / rank; }};
    std::mt19937_64 random_{7};
    std::vector<Aggregator> aggregators_ = [] {
        std::vector<Aggregator> made;
        for (std::size_t i = 0; i < partitions; ++i)
            made.emplace_back(domain::ReportingZone::utc());
        return made;
    }();
    std::array<Deltas, partitions> deltas_;
    std::array<std::int64_t, partitions> counted_{};
};

// CPU seconds of Redis so far: the thread that runs commands, not the one that syncs.
double redis_cpu(redis::Client& client) {
    const auto reply = client.command({"INFO", "cpu"});
    if (!reply)
        throw std::runtime_error(reply.error().message);
    double seconds = 0;
    for (std::string_view name : {"used_cpu_user_main_thread:", "used_cpu_sys_main_thread:"}) {
        const std::string& text = reply.value().text;
        seconds += std::stod(text.substr(text.find(name) + name.size()));
    }
    return seconds;
}

redis::RedisServer a_redis() {
    return redis::RedisServer{{.password = {}, .arguments = {"--appendfsync", "everysec"}}};
}

// Flushes `state.range(0)` events at a time by `work`; the time is Redis' CPU.
template <class Work>
void measure(benchmark::State& state, redis::RedisServer& server, Traffic& traffic, Work work) {
    redis::Client client = server.client();
    const auto events = static_cast<std::size_t>(state.range(0));
    for (int i = 0; i < 20; ++i) {
        traffic.fold(events);
        work();
    }
    for (auto _ : state) {
        traffic.fold(events);
        const double before = redis_cpu(client);
        work();
        state.SetIterationTime(redis_cpu(client) - before);
    }
    state.counters["us_per_event"] = benchmark::Counter(
        static_cast<double>(events) * 1e-6,
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void flush_script(benchmark::State& state) {
    redis::RedisServer server = a_redis();
    SystemClock clock;
    CrashPoints crash_points;
    RedisStore store{server.client_options(), "ad-events", clock, crash_points};
    Traffic traffic;
    std::array<std::int64_t, partitions> next{};
    measure(state, server, traffic, [&] {
        const auto outcomes = store.apply(traffic.flushes(next), {});
        if (!outcomes)
            throw std::runtime_error(outcomes.error().message);
        for (const auto& outcome : outcomes.value())
            if (outcome.kind != processor::FlushOutcome::Kind::applied)
                throw std::runtime_error("not applied: " + outcome.reason);
    });
}

void one_increment_each(benchmark::State& state) {
    redis::RedisServer server = a_redis();
    redis::Client client = server.client();
    Traffic traffic;
    const auto add = [&](const std::string& prefix, const domain::MetricDelta& delta) {
        const std::array values{delta.impressions, delta.clicks, delta.conversions,
                                delta.cost.value, delta.value.value};
        for (std::size_t m = 0; m < values.size(); ++m) {
            if (values[m] == 0)
                continue;
            const std::string key = prefix + std::string(keys::counters[m]);
            const std::string value = fmt::to_string(values[m]);
            const std::array<std::string_view, 3> words{"INCRBY", key, value};
            client.append(words);
        }
    };
    measure(state, server, traffic, [&] {
        for (const Deltas& deltas : traffic.deltas()) {
            for (const auto& each : deltas.ads)
                add(keys::entity(processor::Entity::ad, each.id), each.delta);
            for (const auto& each : deltas.campaigns)
                add(keys::entity(processor::Entity::campaign, each.id), each.delta);
            for (const auto& each : deltas.hours) {
                add(keys::dated_hour(each.ad, each.hour), each.delta);
                add(keys::hour_of_day(each.ad, each.hour), each.delta);
            }
            for (const auto& each : deltas.days)
                add(keys::daily(each.ad, each.day), each.delta);
        }
        if (!client.send() || !client.receive())
            throw std::runtime_error("Redis did not answer");
    });
}

BENCHMARK(flush_script)->Arg(12)->Arg(50)->Arg(200)->Arg(1'000)->Arg(10'000)->UseManualTime();
BENCHMARK(one_increment_each)->Arg(200)->Arg(1'000)->Arg(10'000)->UseManualTime();

}  // namespace
}  // namespace adtally::redis_sink
