// What all actors of one world share: chance, time, what goes wrong, and the account of it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "sim/world/faults.hpp"
#include "sim/world/profile.hpp"
#include "sim/world/random.hpp"

namespace adtally::sim {

// Takes a line of the account, without its end.
using Sink = std::function<void(std::string_view line)>;

struct Setting {
    Setting(std::uint64_t seed, PlantedBug planted, Sink account)
        : random(seed),
          profile(draw_profile(random)),
          faults(random),
          bug(planted),
          sink(std::move(account)) {}

    Random random;
    Profile profile;
    Faults faults;
    PlantedBug bug;
    Sink sink;                // empty: nobody listens
    std::int64_t now_ms = 0;  // since the beginning
    // True time, and by how much a clock is off it.
    std::int64_t wall_ms() const { return profile.base_ms + now_ms; }
    std::int64_t draw_skew() {
        return random.one_in(2) ? 0 : random.between(-profile.skew_ms, profile.skew_ms);
    }

    int depth = 0;  // of processors that are held, one inside a call of the other

    template <class... Args>
    void tell(fmt::format_string<Args...> format, Args&&... args) const {
        if (sink)
            sink(fmt::format("{:>8} ms {:{}}{}", now_ms, "", depth * 4,
                             fmt::format(format, std::forward<Args>(args)...)));
    }
};

// Thrown out of a call of the processor to the world: the process has died there.
struct Crash {};

// Where a processor calls the world it may be held, or die.
class Interrupter {
public:
    virtual ~Interrupter() = default;
    // `host` is at `place`. May run much of the world before it returns, or throw Crash.
    virtual void interrupt(int host, std::string_view place) = 0;
    // Is held there for certain.
    virtual void hold(int host, std::string_view place) = 0;
};

}  // namespace adtally::sim
