// Time as a collaborator, so that tests and the simulator own it.
//
// TimestampMs is wall-clock time in milliseconds since 1970-01-01T00:00:00Z. Deadlines use the
// monotonic clock: a Deadline is a value that is passed down, never a duration that is restarted.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/strong.hpp"

namespace adtally {

using TimestampMs = Strong<struct TimestampMsTag>;
using Milliseconds = std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
public:
    virtual ~Clock() = default;
    virtual TimestampMs wall() const = 0;
    virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
public:
    TimestampMs wall() const override {
        return TimestampMs{std::chrono::duration_cast<Milliseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count()};
    }
    SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

// For tests: stands still until it is told to move.
class ManualClock final : public Clock {
public:
    explicit ManualClock(TimestampMs start) : wall_(start) {}
    TimestampMs wall() const override { return wall_; }
    SteadyTime steady() const override { return steady_; }
    void advance(Milliseconds by) {
        wall_.value += by.count();
        steady_ += by;
    }
    void set_wall(TimestampMs to) { wall_ = to; }

private:
    TimestampMs wall_;
    SteadyTime steady_{};
};

// The moment at which waiting ends.
class Deadline {
public:
    explicit Deadline(SteadyTime at) : at_(at) {}
    static Deadline after(Milliseconds span) {
        return Deadline{std::chrono::steady_clock::now() + span};
    }
    SteadyTime at() const { return at_; }
    bool passed() const { return std::chrono::steady_clock::now() >= at_; }
    // Never negative.
    Milliseconds left() const {
        auto left =
            std::chrono::duration_cast<Milliseconds>(at_ - std::chrono::steady_clock::now());
        return left.count() > 0 ? left : Milliseconds{0};
    }

private:
    SteadyTime at_;
};

}  // namespace adtally
