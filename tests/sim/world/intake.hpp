// Clients, collectors, their spools, and what is on its way from them to the log.
//
// It stands for pipeline/collector and platform/eventlog/spool: what the log does not acknowledge
// goes to the collector's spool; once something lies there everything does, until it is drained; an
// event is acknowledged when the log or the spool has it. A spool survives its collector's crash.
//
// The window. Events are deduplicated within a window only, so the promise "exactly once" is for
// clients that keep it: they give up on an event `again_ms` after its first sending. What a spool
// holds, or is on its way, may come as late as it likes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/event.hpp"
#include "sim/world/log_model.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

// An event that a client wants counted once, however often it sends it.
struct Sending {
    std::string id;
    domain::EventType type = domain::EventType::impression;
    std::int64_t ad = 0;
    std::int64_t campaign = 0;
    std::int64_t cost_micros = 0;
    std::int64_t event_ms = 0;  // its own time, wall
    std::int64_t first_ms = 0;  // when it was first sent
    std::int64_t last_ms = 0;   // when a copy of it last reached the log; until then, first_ms
    bool acknowledged = false;
    bool paired = false;     // another type has its id as well
    bool succeeded = false;  // its id was sent anew, as an event of its own
    bool at_edge = false;    // about a window away from another of its id, or after such a one
};

class Intake {
public:
    Intake(Setting& setting, LogModel& log);

    void send();
    void send_again();
    void send_after_window();
    void send_at_edge();
    void send_poison();
    void drain();
    void restart_collector();
    void land_late_append();

    // Once faults have ceased: collectors are up, spools empty, clients have what they may ask for.
    void settle();

    const std::vector<Sending>& sendings() const { return sendings_; }
    std::uint64_t acknowledged() const;  // events

private:
    // An event as a collector writes it.
    struct Copy {
        std::int32_t sending = 0;
        TimestampMs received_at;
        std::string value;
    };
    struct Collector {
        std::int64_t skew_ms = 0;  // of its clock
        bool up = true;
        std::vector<Copy> spool;
    };
    enum class Outcome { written, failed };

    std::int32_t make_sending();
    Sending& at(std::int32_t number) { return sendings_[static_cast<std::size_t>(number)]; }
    bool may_be_sent_again(const Sending& sending) const;
    bool is_on_its_way(std::size_t number) const;
    void send_id_anew(std::size_t number, bool at_edge);
    void deliver(const std::vector<std::int32_t>& batch);
    bool receive(std::size_t number, const std::vector<std::int32_t>& batch);
    Copy copy_of(std::int32_t number, const Collector& received_by);
    Outcome append(const std::vector<Copy>& copies);
    void write(const Copy& copy);
    void drain_from(std::size_t number, std::size_t most);
    void crash(std::size_t number, const char* where);
    bool survives(std::size_t number, const char* where);

    Setting& setting_;
    LogModel& log_;
    std::vector<Sending> sendings_;
    std::vector<std::int32_t> unanswered_;
    std::vector<Collector> collectors_;
    std::vector<Copy> late_;  // told failed, and still on the way
};

}  // namespace adtally::sim
