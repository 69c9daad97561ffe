// An event log that takes events while the one behind it is away: they are made durable on this
// machine and passed on when it is back.
//
// Problem. A collector must not lose what it has answered for, nor turn clients away because Kafka
// restarts. So what Kafka does not acknowledge in time goes to a RocksDB log in the collector's own
// data directory, fsynced, and is acknowledged.
//
// Design. Four states. *Direct*: appends go to the target. *Leaving*, once one has failed: new ones
// are held in memory until those on their way are answered; then all that failed, and all that
// was held, goes to the spool in the order in which it came. *Spooling*: everything goes to the
// spool, while one thread, `spool-drain`, passes on what lies there, in order, a batch at a time,
// and removes it once it is acknowledged. *Returning*, when little is left: new ones are held until
// the spool is empty, and go to the target then. So a stream that never pauses comes back to the
// target too, and no event that was spooled is overtaken by a younger one with its key. A collector
// that starts on a spool with something in it begins by spooling.
//
// Promise. Success means durable: acknowledged by the target, or fsynced here. An append that the
// target timed out may have reached it all the same, and a crash between an acknowledgement and the
// removal repeats a batch: event ids and deduplication are for that. Past `max_records` waiting
// appends are refused, `overloaded`, as past `max_held_bytes` held, and by `storage_full` when the
// disk says so. One order is not kept: of appends on their way at the same time the target may fail
// an older one and take a younger.
//
// Threads. As event_log.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/rocksdb_log.hpp"

namespace adtally::eventlog {

struct SpoolOptions {
    // The topic whose appends are spooled; those of others go to the target alone.
    std::string topic;
    std::uint64_t max_records = 50'000'000;  // that wait; past it: overloaded
    std::size_t drain_records = 2'000;       // passed on at once
    std::size_t max_held_bytes = 64u << 20;  // between two states; past it: overloaded
    Milliseconds try_again{500};             // after the target has failed
    // Called on the draining thread, or by the opener: "spool_filling" when events begin to be
    // spooled, and why; "spool_empty" when it is over. Must not throw.
    std::function<void(std::string_view event, std::string_view detail)> on_event;
};

struct SpoolState {
    bool spooling = false;
    std::uint64_t records = 0;   // that wait
    Milliseconds oldest{0};      // how long the oldest of them has waited
    std::uint64_t spooled = 0;   // since the start
    std::uint64_t drained = 0;   // likewise
    std::string target_trouble;  // why the target does not take them; empty: it does
};

class SpoolingLog : public EventLog {
public:
    virtual SpoolState spool() const = 0;
};

// `spool` has the topic with one partition, kept forever, and is nobody else's. Throws
// std::runtime_error when it has not.
std::unique_ptr<SpoolingLog> open_spooling_log(std::unique_ptr<EventLog> target,
                                               std::unique_ptr<RocksDbLog> spool,
                                               SpoolOptions options, const Clock& clock);

}  // namespace adtally::eventlog
