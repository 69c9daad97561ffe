// One seed's world: clients, collectors, the log, processors, Redis, and what goes wrong there.
//
// Time and order are the seed's. A world is a sequence of actions; each call of a processor to the
// outside is an occasion for it to die there, or to be held while other actions happen, also those
// of other processors (one is then held inside a call of the other). So every interleaving of
// processors at their calls can come about on one thread.
// In the end faults cease, and the world must come to rest within a bounded number of rounds with
// every promise kept (oracle.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/observability/metrics.hpp"
#include "sim/world/group.hpp"
#include "sim/world/host.hpp"
#include "sim/world/intake.hpp"
#include "sim/world/log_model.hpp"
#include "sim/world/redis_model.hpp"
#include "sim/world/setting.hpp"
#include "sim/world/work.hpp"

namespace adtally::sim {

class World final : private Interrupter {
public:
    // `metrics` is for the processors' own; one of them serves any number of worlds.
    World(std::uint64_t seed, PlantedBug bug, Sink account, observability::MetricRegistry& metrics);

    // Once. Empty: every promise was kept. Otherwise what was expected, and what was found.
    std::string run();
    const FaultCounts& faults() const { return setting_.faults.counts(); }
    Work work() const { return {intake_.acknowledged(), log_.size(), redis_.applied()}; }

private:
    void interrupt(int host, std::string_view place) override;
    void hold(int host, std::string_view place) override;

    void act();
    Action draw_action();
    void perform(Action action);
    Host* any_host(bool (*wanted)(const Host&));
    void step_processor();
    void start_processor();
    void stop_processor();
    void pass_time();
    void turn(bool& away, Fault fault, const char* what);

    std::string settle();
    void round(std::int64_t span_ms);
    bool at_rest() const;
    std::string no_progress(std::size_t rounds) const;

    Setting setting_;
    LogModel log_;
    RedisModel redis_;
    Group group_;
    Intake intake_;
    std::vector<Host> hosts_;
    std::size_t actions_left_;
    std::uint32_t all_weights_ = 0;
};

}  // namespace adtally::sim
