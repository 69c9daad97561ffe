// Which events have been seen within the window.
//
// Problem. Clients retry, replays overlap, a log may hold an event twice: (type, event_id) must
// count once within the window (default 10 min of log time), and a processor that restarts must
// come to the same verdicts as one that ran on.
// Design. "Seen" is a pure function of the log: a record is a duplicate if another record with its
// key lies before it in the partition, at most remembered(`window`) older. So every occurrence,
// also a duplicate, renews the time, and reading that stretch again restores the state exactly.
// Keys are 96 bits of SipHash-2-4 with a key drawn per process: an open-addressing table of 16
// bytes an entry. At 6 million ids in the window one event in 10^22 would be taken for another;
// nobody outside can choose ids that collide.
// Limits. Memory grows with the ids in the window: 21 to 43 bytes each. Expired entries are swept
// while inserting, four slots an insert, so a table lives at most half a window longer than needed.
// Threads. One.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "domain/event.hpp"
#include "pipeline/processor/huge_pages.hpp"

namespace adtally::processor {

using HashKey = std::array<unsigned char, 16>;

// How long a record may have been on its way from its receipt into the log (in a spool, say) before
// it is late, see history.hpp. A short window leaves less room for the clocks of collectors and
// brokers.
constexpr Milliseconds on_its_way(Milliseconds window) {
    return std::min(Milliseconds{60'000}, window / 10);
}
// Log time is append time, a window counts from receipt: so much of the log is compared with, that
// none is less than the window.
constexpr Milliseconds remembered(Milliseconds window) {
    return window + on_its_way(window);
}

// From the system's random source; one for all partitions of a process.
HashKey random_hash_key();

class Deduplicator {
public:
    Deduplicator(Milliseconds window, const HashKey& key);

    struct Key {
        std::uint64_t high = 0;
        std::uint32_t low = 0;
    };
    Key key_of(domain::EventType type, std::string_view event_id) const;
    // Its place in the table comes into the cache meanwhile: the table is larger than that.
    void prefetch(const Key& key) const { __builtin_prefetch(&slots_[home(key.high)], 1); }

    // True if the event was not seen within remembered(window) before `at`. Remembers it either
    // way. `at` is the record's time in the log, which never decreases along a partition.
    bool insert(domain::EventType type, std::string_view event_id, TimestampMs at) {
        return insert(key_of(type, event_id), at);
    }
    bool insert(const Key& key, TimestampMs at);
    // When the event was seen last within remembered(window) before `at`; nothing if it was not.
    std::optional<TimestampMs> seen_at(domain::EventType type, std::string_view event_id,
                                       TimestampMs at) const;
    Milliseconds window() const { return window_; }
    void clear();
    // Entries held, expired ones included that have not been swept yet.
    std::size_t size() const { return used_; }
    std::size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

private:
    struct Slot {
        std::uint64_t high = 0;
        std::uint32_t low = 0;
        std::uint32_t seen = 0;  // log time in ms, modulo 2^32
        bool used() const { return high != 0; }
    };
    // Modulo 2^32. A time slightly before the one seen, of a log whose writers stamp its records by
    // clocks of their own, is within the window too.
    bool expired(const Slot& slot, std::uint32_t now) const {
        return now - slot.seen > remembered_ && slot.seen - now > remembered_;
    }
    std::size_t home(std::uint64_t high) const { return high & (slots_.size() - 1); }
    std::size_t home(const Slot& slot) const { return home(slot.high); }
    void sweep(std::uint32_t now);
    void erase(std::size_t index);
    void rebuild(std::uint32_t now);

    Milliseconds window_;
    std::uint32_t remembered_;  // in ms
    HashKey key_;
    std::vector<Slot, HugePages<Slot>> slots_;
    std::size_t used_ = 0;
    std::size_t sweep_at_ = 0;
};

}  // namespace adtally::processor
