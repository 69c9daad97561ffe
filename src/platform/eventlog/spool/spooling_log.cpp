#include "platform/eventlog/spool/spooling_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include "platform/eventlog/spool/spooler.hpp"

namespace adtally::eventlog {

Spooler::Spooler(std::unique_ptr<EventLog> target, std::unique_ptr<RocksDbLog> spool,
                 SpoolOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      target_(std::move(target)),
      spool_(std::move(spool)) {
    auto consumer = spool_->consumer(options_.topic, *this);
    if (!consumer || spool_->topic(options_.topic).value().partitions != 1)
        throw std::runtime_error("the spool needs one partition of topic " + options_.topic);
    consumer_ = std::move(consumer.value());
    if (waiting() > 0) {
        state_ = State::spooling;
        event("spool_filling", fmt::format("{} events of an earlier run wait", waiting()));
    }
    draining_ = std::jthread([this](const std::stop_token& stop) { drain(stop); });
}

void Spooler::append(std::string_view topic, RecordBatch batch, AppendDone done) {
    if (topic != options_.topic) {
        target_->producer().append(topic, std::move(batch), std::move(done));
        return;
    }
    std::unique_lock lock(mutex_);
    switch (state_) {
        case State::direct: {
            const std::uint64_t arrival = next_arrival_++;
            ++on_their_way_;
            lock.unlock();
            return to_target(arrival, {std::move(batch), std::move(done)});
        }
        case State::spooling:
            ++being_spooled_;
            lock.unlock();
            return to_spool({std::move(batch), std::move(done)});
        case State::leaving:
        case State::returning:
            break;
    }
    if (held_bytes_ + batch.byte_size() > options_.max_held_bytes) {
        lock.unlock();
        return done(Error{ErrorCode::overloaded, "too many events wait between Kafka and spool"});
    }
    held_bytes_ += batch.byte_size();
    held_.push_back({std::move(batch), std::move(done)});
}

// The caller has counted it in on_their_way_. The target consumes what it is given; a copy is what
// a durable promise costs here.
void Spooler::to_target(std::uint64_t arrival, Held held) {
    RecordBatch sent = held.batch;
    auto kept = std::make_unique<Held>(std::move(held));
    target_->producer().append(options_.topic, std::move(sent),
                               [this, arrival, kept = std::move(kept)](Status status) mutable {
                                   answered(arrival, std::move(*kept), std::move(status));
                               });
}

void Spooler::answered(std::uint64_t arrival, Held held, Status status) {
    if (status || status.error().code == ErrorCode::too_large) {
        bool waited_for = false;
        {
            std::lock_guard lock(mutex_);
            --on_their_way_;
            waited_for = state_ != State::direct;
        }
        if (waited_for)
            changed_.notify_all();
        return held.done(std::move(status));
    }
    std::optional<Held> at_once;  // when nobody would take it up later
    {
        std::lock_guard lock(mutex_);
        --on_their_way_;
        target_trouble_ = status.error().message;
        if (state_ == State::direct)
            state_ = State::leaving;
        if (closing_) {
            ++being_spooled_;
            at_once = std::move(held);
        } else {
            failed_.emplace(arrival, std::move(held));
        }
    }
    changed_.notify_all();
    if (at_once)
        to_spool(std::move(*at_once));
}

// Kafka may have told a smaller limit since the spool was opened: what it will never take would
// hold up all that stands behind it.
std::optional<Error> Spooler::refusal(const RecordBatch& batch) const {
    const std::size_t limit = max_record_bytes();
    for (std::size_t i = 0; i < batch.size(); ++i)
        if (const std::size_t bytes = batch[i].key.size() + batch[i].value.size(); bytes > limit)
            return Error{ErrorCode::too_large,
                         fmt::format("a record of {} bytes is over the event log's limit of {}",
                                     bytes, limit)};
    return std::nullopt;
}

// The caller has counted it in being_spooled_.
void Spooler::to_spool(Held held) {
    const std::uint64_t records = held.batch.size();
    auto answer = [this, records, done = std::move(held.done)](Status status) mutable {
        if (status)
            spooled_ += records;
        {
            std::lock_guard lock(mutex_);
            --being_spooled_;
        }
        changed_.notify_all();
        done(std::move(status));
    };
    if (auto refused = refusal(held.batch))
        return answer(std::move(*refused));
    if (waiting() + records > options_.max_records)
        return answer(Error{ErrorCode::overloaded,
                            fmt::format("{} events wait for Kafka, the spool takes no more",
                                        options_.max_records)});
    spool_->producer().append(options_.topic, std::move(held.batch), std::move(answer));
}

// Lets go what was held, in order, also what comes meanwhile; then the state is the next one. The
// draining thread's, or that of close() after it.
void Spooler::release(State next) {
    for (;;) {
        std::vector<Held> some = take_released(next);
        if (some.empty())
            return;
        for (Held& each : some) {
            if (next == State::spooling) {
                to_spool(std::move(each));
                continue;
            }
            std::uint64_t arrival = 0;
            {
                std::lock_guard lock(mutex_);
                arrival = next_arrival_++;
            }
            to_target(arrival, std::move(each));
        }
    }
}

std::vector<Spooler::Held> Spooler::take_released(State next) {
    std::lock_guard lock(mutex_);
    std::vector<Held> some;
    if (next == State::spooling)
        for (auto& [arrival, each] : std::exchange(failed_, {}))
            some.push_back(std::move(each));
    std::move(held_.begin(), held_.end(), std::back_inserter(some));
    held_.clear();
    held_bytes_ = 0;
    (next == State::spooling ? being_spooled_ : on_their_way_) += some.size();
    if (some.empty())
        state_ = next == State::direct && !failed_.empty() ? State::leaving : next;
    return some;
}

// What the target does not take any more goes to the spool, so that one ends last.
void Spooler::close() {
    if (draining_.joinable()) {
        {
            std::lock_guard lock(mutex_);
            closing_ = true;
        }
        draining_.request_stop();
        draining_.join();
        release(State::spooling);
    }
    consumer_.reset();
    target_->close();
    spool_->close();
}

LogHealth Spooler::health() const {
    LogHealth health = spool_->producer().health();
    const LogHealth target = target_->producer().health();
    health.appends_in_flight += target.appends_in_flight;
    health.bytes_in_flight += target.bytes_in_flight;
    const SpoolState now = spool();
    health.details = {{"spoolEvents", std::to_string(now.records)},
                      {"spoolOldestMs", std::to_string(now.oldest.count())}};
    // Not down: what comes is durable, only not here.
    if (!now.target_trouble.empty())
        health.details.emplace_back("behind", now.target_trouble);
    if (health.up && now.records >= options_.max_records) {
        health.up = false;
        health.reason = fmt::format("the spool is full; {}", now.target_trouble);
    }
    std::lock_guard lock(mutex_);
    if (health.up && !stuck_.empty()) {
        health.up = false;
        health.reason = "what waits in the spool is not taken and will not be: " + stuck_;
    }
    return health;
}

SpoolState Spooler::spool() const {
    SpoolState state;
    state.records = waiting();
    state.spooled = spooled_;
    state.drained = drained_;
    if (const std::int64_t oldest = oldest_appended_at_; oldest > 0 && state.records > 0)
        state.oldest = Milliseconds{std::max<std::int64_t>(0, clock_.wall().value - oldest)};
    std::lock_guard lock(mutex_);
    state.spooling = state_ != State::direct;
    state.target_trouble = target_trouble_;
    return state;
}

std::unique_ptr<SpoolingLog> open_spooling_log(std::unique_ptr<EventLog> target,
                                               std::unique_ptr<RocksDbLog> spool,
                                               SpoolOptions options, const Clock& clock) {
    return std::make_unique<Spooler>(std::move(target), std::move(spool), std::move(options),
                                     clock);
}

}  // namespace adtally::eventlog
