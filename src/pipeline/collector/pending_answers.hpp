// The answers that wait for the log, and the time by which each must have gone out.
//
// Problem. A request is answered when its events are durable, but no client may wait for ever: an
// acknowledgement has a deadline (then 503), a click's redirect a shorter one (then the redirect
// itself). Completion and deadline race on different threads; exactly one of them may answer.
//
// Design. Slots that are reused, so that a request allocates nothing here. All waits of one kind
// are equally long, so a list in order of arrival is a list in order of deadline and the sweep
// looks only at its head. A slot is given back by the completion alone, which the log promises
// exactly once; the deadline only takes the right to answer out of it.
//
// Threads. Any; one mutex, held for moves and list surgery, never while answering.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "pipeline/collector/event_counts.hpp"
#include "platform/http/router.hpp"

namespace adtally::collector {

// What is owed when the deadline passes, and whether an error of the log is shown at all.
enum class Patience : std::uint8_t {
    acknowledge,  // the answer is a promise: 503 when it cannot be given
    redirect,     // the user must reach the page: the prepared answer goes out in any case
};
inline constexpr std::size_t patience_count = 2;

// A request on its way through the log.
struct Waiting {
    std::optional<http::Responder> responder;  // empty once it has been answered
    http::Request request;                     // views; valid while the responder is unused
    http::Response success;
    EventCounts counts;
    std::int64_t received_second = 0;
    Patience patience = Patience::acknowledge;
};

class PendingAnswers {
public:
    struct Slot;

    struct Spans {
        Milliseconds acknowledge;
        Milliseconds redirect;
    };
    explicit PendingAnswers(Spans spans) : spans_{spans.acknowledge, spans.redirect} {}
    PendingAnswers(const PendingAnswers&) = delete;

    // The slot is the completion's from now on.
    Slot* add(Waiting&& waiting, SteadyTime now);
    // The completion's: takes what is there and gives the slot back.
    Waiting finish(Slot* slot);
    // The deadline's: the answers that are due, without their slots; appended to `due`.
    void expire(SteadyTime now, std::vector<Waiting>& due);
    // When the next redirect is due; nothing when none waits.
    std::optional<SteadyTime> next_redirect() const;

    // Its inside is this class' own; outside it is only a handle.
    struct Slot {
        Waiting waiting;
        SteadyTime deadline;
        Slot* previous = nullptr;
        Slot* next = nullptr;
        bool listed = false;
    };

private:
    struct List {
        Slot* head = nullptr;
        Slot* tail = nullptr;
    };
    List& list_of(Patience patience) { return lists_[static_cast<std::size_t>(patience)]; }
    void link(Slot* slot);
    void unlink(Slot* slot);

    const std::array<Milliseconds, patience_count> spans_;
    mutable std::mutex mutex_;
    std::deque<Slot> slots_;
    std::vector<Slot*> free_;
    std::array<List, patience_count> lists_{};
};

}  // namespace adtally::collector
