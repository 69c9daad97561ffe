#include "pipeline/collector/admission.hpp"

#include "base/assert.hpp"

namespace adtally::collector {

// An event that is still in flight would come back to an object that is gone.
Admission::~Admission() {
    ADTALLY_ASSERT(in_flight_.load() == 0);
}

// The number is raised before the gate is looked at, and close_and_wait closes the gate before it
// looks at the number: in whichever order the two meet, one of them sees the other.
Admission::Verdict Admission::enter(std::uint64_t events) {
    std::uint64_t before = in_flight_.fetch_add(events);
    if (stopping_.load()) [[unlikely]] {
        leave(events);
        return Verdict::stopping;
    }
    if (before + events > max_events_) [[unlikely]] {
        leave(events);
        return Verdict::full;
    }
    return Verdict::admitted;
}

Admission::Verdict Admission::probe() const {
    if (stopping_.load())
        return Verdict::stopping;
    return in_flight_.load() >= max_events_ ? Verdict::full : Verdict::admitted;
}

void Admission::leave(std::uint64_t events) {
    std::uint64_t before = in_flight_.fetch_sub(events);
    ADTALLY_ASSERT(before >= events);
    if (before == events && stopping_.load()) [[unlikely]] {
        std::lock_guard lock(mutex_);
        idle_.notify_all();
    }
}

bool Admission::close_and_wait(Deadline deadline) {
    stopping_.store(true);
    std::unique_lock lock(mutex_);
    return idle_.wait_until(lock, deadline.at(), [this] { return in_flight_.load() == 0; });
}

}  // namespace adtally::collector
