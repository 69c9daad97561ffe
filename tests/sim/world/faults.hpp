// What goes wrong in a world, how often, and how often it did.
//
// A seed draws a mixture: some kinds do not occur in it at all, some at their usual rate, some five
// times as often. A world in which everything breaks all the time never gets to the states that lie
// behind a long quiet stretch, nor one with a single fault to those that need two at once.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/world/random.hpp"

namespace adtally::sim {

enum class Fault : std::uint8_t {
    // Clients.
    sent_again,         // an event without an answer is sent again
    sent_twice,         // an event stands in one batch twice
    sent_after_window,  // an id comes again after the deduplication window: it counts again
    sent_at_edge,       // or just at its end
    poison,             // a record that is no event
    answer_lost,        // the collector's
    // Collectors.
    collector_crash,  // before, between and after what it writes
    drain_repeated,   // a crash between passing on what was spooled and forgetting it
    spool_refused,    // the disk is full: not acknowledged
    // The log, as its writers see it.
    log_away,
    append_refused,    // nothing was written
    append_cut,        // a part of the batch was written, and a failure told
    append_timed_out,  // written, and a failure told
    append_late,       // a failure told, written later: behind what came after it
    letter_refused,    // a dead letter, not written
    letter_timed_out,  // a dead letter, written, and a failure told
    letter_late,       // a dead letter whose answer comes after its deadline
    late_record,       // seen: appended so late that its window is counted from its receipt
    late_double,       // seen: and its double lies further back than the window
    // The log, as its readers see it.
    read_failed,
    records_repeated,  // a poll begins before the position
    rebalance,
    name_taken,  // a reader's membership has ended: another took its name
    unaware,     // a reader does not hear yet what it has lost or won
    // Processors.
    processor_crash,    // at any call out of it
    processor_held,     // at any call out of it the rest of the world goes on for a while
    held_before_flush,  // likewise, where that makes a zombie
    killed_while_held,
    processor_stopped,  // in good order
    rewind,             // seen: a partition started over from the stored offset
    zombie_flush,       // seen: a flush of a partition that belongs to another by now
    zombie_refused,     // seen: and it was refused
    // Redis.
    redis_away,
    request_lost,
    request_late,   // a failure told, applied later, if that Redis still lives
    reply_lost,     // applied, and a failure told
    pipeline_cut,   // the first scripts of a flush applied, the others not
    flush_refused,  // a key that is not ours
    positions_lost,
    failover,
    tail_lost,    // seen: flushes that a failover lost
    split_brain,  // a failover whose old Redis goes on serving those connected to it
    conflict,     // seen: a flush refused by the guard
    count,
};

constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::count);

std::string_view to_string(Fault fault);

struct FaultCounts {
    std::array<std::uint64_t, fault_kinds> of{};

    std::uint64_t& operator[](Fault fault) { return of[static_cast<std::size_t>(fault)]; }
    std::uint64_t operator[](Fault fault) const { return of[static_cast<std::size_t>(fault)]; }
    void add(const FaultCounts& other) {
        for (std::size_t i = 0; i < fault_kinds; ++i)
            of[i] += other.of[i];
    }
};

class Faults {
public:
    explicit Faults(Random& random);

    // Whether it happens here, and counts it if so. Only for those that have a rate.
    bool strikes(Fault fault);
    // For those that the world decides on, or only sees.
    void saw(Fault fault, std::uint64_t times = 1) { counts_[fault] += times; }
    // From here on nothing goes wrong.
    void cease() { ceased_ = true; }
    bool ceased() const { return ceased_; }
    const FaultCounts& counts() const { return counts_; }

private:
    Random& random_;
    std::array<std::uint32_t, fault_kinds> per_10000_{};
    FaultCounts counts_;
    bool ceased_ = false;
};

}  // namespace adtally::sim
