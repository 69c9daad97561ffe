// A machine that a processor runs on: starts the real one, takes it a step further, sees it die.
#pragma once

#include <memory>
#include <string>

#include "platform/observability/metrics.hpp"
#include "sim/world/group.hpp"
#include "sim/world/log_model.hpp"
#include "sim/world/redis_model.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

class Host {
public:
    Host(int number, Setting& setting, LogModel& log, RedisModel& redis, Group& group,
         Interrupter& interrupter, observability::MetricRegistry& metrics);
    ~Host();
    Host(Host&&) noexcept;

    int number() const { return number_; }
    bool running() const { return process_ != nullptr; }
    // Inside a call of its processor: it must neither be stepped nor ended.
    bool busy() const { return busy_; }
    bool idle() const { return running() && !busy(); }
    void start();
    void step();
    void stop();  // in good order
    void kill();
    // What holds it up; empty: nothing does.
    std::string trouble() const;

private:
    struct Process;
    template <class Call>
    void survive(Call call);

    int number_;
    Setting* setting_;
    LogModel* log_;
    RedisModel* redis_;
    Group* group_;
    Interrupter* interrupter_;
    observability::MetricRegistry* metrics_;
    std::unique_ptr<Process> process_;
    bool busy_ = false;
};

}  // namespace adtally::sim
