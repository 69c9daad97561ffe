// The draining thread of the spool: see spooler.hpp.
#include <pthread.h>

#include <algorithm>
#include <future>
#include <utility>

#include "platform/eventlog/spool/spooler.hpp"

namespace adtally::eventlog {
namespace {

constexpr Milliseconds look_again{50};

bool same(std::span<const Header> left, std::span<const Header> right) {
    return left.data() == right.data() ||
           std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const Header& one, const Header& other) {
                          return one.name == other.name && one.value == other.value;
                      });
}

}  // namespace

void Spooler::drain(const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "spool-drain");
    while (!stop.stop_requested()) {
        State now = State::direct;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [this] { return state_ != State::direct; });
            now = state_;
        }
        switch (now) {
            case State::direct:
                break;
            case State::leaving:
                leave(stop);
                break;
            case State::spooling:
                if (drain_some(stop) != Drained::failed && waiting() <= options_.drain_records) {
                    std::lock_guard lock(mutex_);
                    state_ = State::returning;
                }
                break;
            case State::returning:
                come_back(stop);
                break;
        }
    }
}

void Spooler::leave(const std::stop_token& stop) {
    std::string why;
    {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, stop, [this] { return on_their_way_ == 0; }))
            return;
        why = target_trouble_;
    }
    event("spool_filling", why);
    release(State::spooling);
}

void Spooler::come_back(const std::stop_token& stop) {
    if (drain_some(stop) == Drained::failed)
        return release(State::spooling);
    {
        std::lock_guard lock(mutex_);
        if (being_spooled_ > 0 || waiting() > 0)
            return;
        target_trouble_.clear();
    }
    oldest_appended_at_ = 0;
    event("spool_empty", "");
    release(State::direct);
}

Spooler::Drained Spooler::drain_some(const std::stop_token& stop) {
    // What was passed on and could not be removed is not passed on again.
    if (const Offset begin = ends().begin; passed_on_ > begin) {
        if (Status removed = spool_->remove_before(options_.topic, only, passed_on_); !removed)
            return trouble(removed.error(), stop);
        return Drained::some;
    }
    FetchedBatch fetched;
    fetched.wants_headers = true;
    if (Status polled =
            consumer_->poll(fetched, options_.drain_records, Deadline::after(look_again));
        !polled) {
        (void)consumer_->seek(only, ends().begin);
        return trouble(polled.error(), stop);
    }
    if (fetched.records.empty())
        return Drained::nothing;
    oldest_appended_at_ = fetched.records.front().appended_at.value;
    if (Status passed = pass_on(fetched); !passed) {
        (void)consumer_->seek(only, fetched.records.front().offset);
        return trouble(passed.error(), stop);
    }
    drained_ += fetched.records.size();
    passed_on_ = Offset{fetched.records.back().offset.value + 1};
    {
        std::lock_guard lock(mutex_);
        target_trouble_.clear();
        stuck_.clear();
    }
    if (Status removed = spool_->remove_before(options_.topic, only, passed_on_); !removed)
        return trouble(removed.error(), stop);
    return Drained::some;
}

// Each stretch of equal headers is an append of its own; all are on their way at the same time.
Status Spooler::pass_on(const FetchedBatch& fetched) {
    std::vector<std::future<Status>> told;
    for (std::size_t at = 0; at < fetched.records.size();) {
        RecordBatch batch;
        const auto headers = fetched.headers_of(at);
        for (const Header& header : headers)
            batch.add_header(header.name, header.value);
        for (; at < fetched.records.size() && same(fetched.headers_of(at), headers); ++at)
            batch.add(fetched.records[at].key, fetched.records[at].value);
        std::promise<Status> answer;
        told.push_back(answer.get_future());
        target_->producer().append(options_.topic, std::move(batch),
                                   [answer = std::move(answer)](Status status) mutable {
                                       answer.set_value(std::move(status));
                                   });
    }
    Status all = ok();
    for (std::future<Status>& each : told)
        if (Status status = each.get(); !status)
            all = std::move(status);
    return all;
}

Spooler::Drained Spooler::trouble(const Error& why, const std::stop_token& stop) {
    {
        std::lock_guard lock(mutex_);
        target_trouble_ = why.message;
        const bool for_ever = why.code == ErrorCode::too_large || why.code == ErrorCode::corrupt ||
                              why.code == ErrorCode::invalid_argument;
        stuck_ = for_ever ? why.message : "";
    }
    wait(stop, options_.try_again);
    return Drained::failed;
}

void Spooler::wait(const std::stop_token& stop, Milliseconds span) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, span, [] { return false; });
}

}  // namespace adtally::eventlog
