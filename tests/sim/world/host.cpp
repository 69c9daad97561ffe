#include "sim/world/host.hpp"

#include <chrono>
#include <utility>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/crash_points.hpp"
#include "pipeline/processor/metric_publisher.hpp"
#include "pipeline/processor/processor.hpp"
#include "sim/world/host_log.hpp"
#include "sim/world/host_store.hpp"

namespace adtally::sim {
namespace {

// The wall clocks of two machines are never the same; the steady ones have no common zero.
class HostClock final : public Clock {
public:
    explicit HostClock(Setting& setting) : setting_(setting), skew_ms_(setting.draw_skew()) {}
    TimestampMs wall() const override { return TimestampMs{setting_.wall_ms() + skew_ms_}; }
    SteadyTime steady() const override {
        return SteadyTime{std::chrono::hours{1} + Milliseconds{setting_.now_ms}};
    }

private:
    Setting& setting_;
    std::int64_t skew_ms_;
};

}  // namespace

// What dies together. Built from above, ended from below.
struct Host::Process {
    explicit Process(const Host& on)
        : clock(*on.setting_),
          log(on.number_, *on.setting_, *on.log_, *on.group_, *on.interrupter_),
          store(on.number_, *on.setting_, *on.redis_, *on.group_, *on.interrupter_),
          publisher(log, "ad-metrics", clock, {}),
          processor(on.setting_->profile.processor, log, store, thresholds, publisher, clock,
                    *on.metrics_, crash_points) {}

    HostClock clock;
    HostLog log;
    HostStore store;
    processor::LiveThresholds thresholds{processor::Thresholds{}};
    CrashPoints crash_points;
    processor::MetricPublisher publisher;
    processor::Processor processor;
};

Host::Host(int number, Setting& setting, LogModel& log, RedisModel& redis, Group& group,
           Interrupter& interrupter, observability::MetricRegistry& metrics)
    : number_(number),
      setting_(&setting),
      log_(&log),
      redis_(&redis),
      group_(&group),
      interrupter_(&interrupter),
      metrics_(&metrics) {}
Host::~Host() = default;
Host::Host(Host&&) noexcept = default;

void Host::start() {
    ADTALLY_ASSERT(!running());
    setting_->tell("processor {} starts", number_);
    process_ = std::make_unique<Process>(*this);
}

template <class Call>
void Host::survive(Call call) {
    ADTALLY_ASSERT(idle());
    busy_ = true;
    bool dead = false;
    try {
        call();
    } catch (const Crash&) {
        dead = true;
    }
    busy_ = false;
    if (dead)
        kill();
}

void Host::step() {
    setting_->tell("processor {} takes a step", number_);
    survive([this] { process_->processor.step(); });
}

void Host::stop() {
    setting_->tell("processor {} stops", number_);
    setting_->faults.saw(Fault::processor_stopped);
    survive([this] { process_->processor.finish(); });
    if (running())
        kill();
}

void Host::kill() {
    setting_->tell("  processor {} is gone", number_);
    setting_->faults.saw(Fault::rewind, process_->processor.snapshot().rewinds);
    process_.reset();  // which leaves the group
}

std::string Host::trouble() const {
    return running() ? process_->processor.snapshot().trouble : "not running";
}

}  // namespace adtally::sim
