#include "sim/world/faults.hpp"

#include "base/assert.hpp"

namespace adtally::sim {
namespace {

struct Kind {
    Fault fault;
    std::string_view name;
    std::uint32_t per_10000;  // of its occasions; 0: the world decides on it, or only sees it
};

constexpr std::array<Kind, fault_kinds> kinds{{
    {Fault::sent_again, "event sent again", 0},
    {Fault::sent_twice, "event twice in a batch", 200},
    {Fault::sent_after_window, "id again after the window", 0},
    {Fault::sent_at_edge, "id again at the window's edge", 0},
    {Fault::poison, "poison record", 0},
    {Fault::answer_lost, "collector's answer lost", 600},
    {Fault::collector_crash, "collector crash", 150},
    {Fault::drain_repeated, "crash between drain and removal", 800},
    {Fault::spool_refused, "spool full", 200},
    {Fault::log_away, "log away for writers", 0},
    {Fault::append_refused, "append refused", 200},
    {Fault::append_cut, "append cut in a batch", 200},
    {Fault::append_timed_out, "append written, told failed", 300},
    {Fault::append_late, "append written late, reordered", 300},
    {Fault::letter_refused, "dead letter refused", 800},
    {Fault::letter_timed_out, "dead letter written, told failed", 800},
    {Fault::letter_late, "dead letter's answer late", 800},
    {Fault::late_record, "record appended late", 0},
    {Fault::late_double, "its double lies past the window", 0},
    {Fault::read_failed, "log read failed", 100},
    {Fault::records_repeated, "records read twice", 200},
    {Fault::rebalance, "rebalance", 0},
    {Fault::name_taken, "membership ended", 20},
    {Fault::unaware, "reader unaware of a rebalance", 1500},
    {Fault::processor_crash, "processor crash", 20},
    {Fault::processor_held, "processor held in a call", 60},
    {Fault::held_before_flush, "processor held before a flush", 500},
    {Fault::killed_while_held, "processor killed while held", 1500},
    {Fault::processor_stopped, "processor stopped in order", 0},
    {Fault::rewind, "partition started over", 0},
    {Fault::zombie_flush, "zombie's flush", 0},
    {Fault::zombie_refused, "zombie's flush refused", 0},
    {Fault::redis_away, "Redis away", 0},
    {Fault::request_lost, "Redis request lost", 150},
    {Fault::request_late, "Redis request late", 150},
    {Fault::reply_lost, "Redis reply lost", 200},
    {Fault::pipeline_cut, "flush cut between partitions", 300},
    {Fault::flush_refused, "flush refused, foreign key", 100},
    {Fault::positions_lost, "Redis positions lost", 150},
    {Fault::failover, "Redis failover", 0},
    {Fault::tail_lost, "flushes lost by failovers", 0},
    {Fault::split_brain, "failover with a split brain", 3000},
    {Fault::conflict, "flush refused by the guard", 0},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < fault_kinds; ++i)
        if (static_cast<std::size_t>(kinds[i].fault) != i)
            return false;
    return true;
}
static_assert(in_order());

}  // namespace

std::string_view to_string(Fault fault) {
    return kinds[static_cast<std::size_t>(fault)].name;
}

Faults::Faults(Random& random) : random_(random) {
    constexpr std::array<std::uint32_t, 4> mixture{0, 1, 1, 5};
    for (std::size_t i = 0; i < fault_kinds; ++i)
        per_10000_[i] = kinds[i].per_10000 * mixture[random.below(mixture.size())];
}

bool Faults::strikes(Fault fault) {
    const auto index = static_cast<std::size_t>(fault);
    ADTALLY_ASSERT(kinds[index].per_10000 > 0);
    if (ceased_ || per_10000_[index] == 0 || random_.below(10'000) >= per_10000_[index])
        return false;
    counts_[fault] += 1;
    return true;
}

}  // namespace adtally::sim
