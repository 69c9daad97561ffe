#include "pipeline/collector/pending_answers.hpp"

#include <utility>

#include "base/assert.hpp"

namespace adtally::collector {
namespace {

// A Responder can be moved from place to place but not assigned.
void move_into(Waiting& into, Waiting& from) {
    into.responder.reset();
    if (from.responder) {
        into.responder.emplace(std::move(*from.responder));
        from.responder.reset();
    }
    into.request = from.request;
    into.success = std::move(from.success);
    into.counts = from.counts;
    into.received_second = from.received_second;
    into.patience = from.patience;
}

}  // namespace

PendingAnswers::Slot* PendingAnswers::add(Waiting&& waiting, SteadyTime now) {
    std::lock_guard lock(mutex_);
    Slot* slot = nullptr;
    if (free_.empty()) {
        slot = &slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    move_into(slot->waiting, waiting);
    slot->deadline = now + spans_[static_cast<std::size_t>(slot->waiting.patience)];
    link(slot);
    return slot;
}

Waiting PendingAnswers::finish(Slot* slot) {
    Waiting taken;
    std::lock_guard lock(mutex_);
    if (slot->listed)
        unlink(slot);
    move_into(taken, slot->waiting);
    free_.push_back(slot);
    return taken;
}

void PendingAnswers::expire(SteadyTime now, std::vector<Waiting>& due) {
    std::lock_guard lock(mutex_);
    for (List& list : lists_) {
        while (list.head != nullptr && list.head->deadline <= now) {
            Slot* slot = list.head;
            unlink(slot);
            Waiting& taken = due.emplace_back();
            // The completion still needs the counts.
            taken.responder.emplace(std::move(*slot->waiting.responder));
            slot->waiting.responder.reset();
            taken.request = slot->waiting.request;
            taken.success = std::move(slot->waiting.success);
            taken.counts = slot->waiting.counts;
            taken.patience = slot->waiting.patience;
        }
    }
}

std::optional<SteadyTime> PendingAnswers::next_redirect() const {
    std::lock_guard lock(mutex_);
    const Slot* head = lists_[static_cast<std::size_t>(Patience::redirect)].head;
    return head == nullptr ? std::nullopt : std::optional(head->deadline);
}

void PendingAnswers::link(Slot* slot) {
    List& list = list_of(slot->waiting.patience);
    slot->previous = list.tail;
    slot->next = nullptr;
    (list.tail == nullptr ? list.head : list.tail->next) = slot;
    list.tail = slot;
    slot->listed = true;
}

void PendingAnswers::unlink(Slot* slot) {
    ADTALLY_ASSERT(slot->listed);
    List& list = list_of(slot->waiting.patience);
    (slot->previous == nullptr ? list.head : slot->previous->next) = slot->next;
    (slot->next == nullptr ? list.tail : slot->next->previous) = slot->previous;
    slot->listed = false;
}

}  // namespace adtally::collector
