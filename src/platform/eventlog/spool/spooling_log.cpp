#include "platform/eventlog/spool/spooling_log.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>

namespace adtally::eventlog {
namespace {

constexpr Partition only{0};
constexpr Milliseconds look_again{50};

bool same(std::span<const Header> left, std::span<const Header> right) {
    return left.data() == right.data() ||
           std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const Header& one, const Header& other) {
                          return one.name == other.name && one.value == other.value;
                      });
}

enum class State : std::uint8_t {
    direct,     // appends go to the target
    leaving,    // one has failed: new ones are held until those on their way are answered
    spooling,   // appends go to the spool
    returning,  // little is left there: new ones are held until it is empty
};

struct Held {
    RecordBatch batch;
    AppendDone done;
};

enum class Drained : std::uint8_t { nothing, some, failed };

class Spooler final : public SpoolingLog, public Producer, private AssignmentListener {
public:
    Spooler(std::unique_ptr<EventLog> target, std::unique_ptr<RocksDbLog> spool,
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
    ~Spooler() override { close(); }

    Producer& producer() override { return *this; }
    Result<std::unique_ptr<Consumer>> consumer(std::string_view topic,
                                               AssignmentListener& listener) override {
        return target_->consumer(topic, listener);
    }
    Result<TopicInfo> topic(std::string_view name) const override { return target_->topic(name); }
    Result<std::unique_ptr<Reader>> reader(std::string_view topic) override {
        return target_->reader(topic);
    }
    Result<std::vector<Watermarks>> watermarks(std::string_view topic) const override {
        return target_->watermarks(topic);
    }
    void close() override;

    void append(std::string_view topic, RecordBatch batch, AppendDone done) override;
    LogHealth health() const override;
    std::size_t max_record_bytes() const override {
        return std::min(target_->producer().max_record_bytes(),
                        spool_->producer().max_record_bytes());
    }
    SpoolState spool() const override;

private:
    void on_assigned(std::span<const Partition>) override {
        (void)consumer_->seek(only, ends().begin);
    }
    void on_revoked(std::span<const Partition>) override {}

    Watermarks ends() const { return spool_->watermarks(options_.topic).value().front(); }
    std::uint64_t waiting() const {
        const Watermarks now = ends();
        return static_cast<std::uint64_t>(now.end.value - now.begin.value);
    }
    void to_target(std::uint64_t arrival, Held held);
    void answered(std::uint64_t arrival, Held held, Status status);
    void to_spool(Held held);
    void release(State next);
    std::vector<Held> take_released(State next);

    void drain(const std::stop_token& stop);
    void leave(const std::stop_token& stop);
    void come_back(const std::stop_token& stop);
    Drained drain_some(const std::stop_token& stop);
    Status pass_on(const FetchedBatch& fetched);
    Drained trouble(const Error& why, const std::stop_token& stop);
    void wait(const std::stop_token& stop, Milliseconds span);
    void event(std::string_view name, std::string_view detail) const {
        if (options_.on_event)
            options_.on_event(name, detail);
    }

    const SpoolOptions options_;
    const Clock& clock_;
    const std::unique_ptr<EventLog> target_;
    const std::unique_ptr<RocksDbLog> spool_;
    std::unique_ptr<Consumer> consumer_;  // the draining thread's
    Offset passed_on_;                    // likewise: the target has all before it
    std::atomic<std::uint64_t> spooled_{0};
    std::atomic<std::uint64_t> drained_{0};
    std::atomic<std::int64_t> oldest_appended_at_{0};  // wall time in ms; 0: none
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    State state_ = State::direct;
    bool closing_ = false;
    std::uint64_t next_arrival_ = 0;
    std::uint64_t on_their_way_ = 0;        // appends that the target has not answered
    std::uint64_t being_spooled_ = 0;       // appends to the spool that are not answered yet
    std::map<std::uint64_t, Held> failed_;  // by arrival
    std::deque<Held> held_;
    std::size_t held_bytes_ = 0;
    std::string target_trouble_;
    std::string stuck_;  // why what waits will never be taken; empty: it may be
    std::jthread draining_;
};

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
    const bool final = status || status.error().code == ErrorCode::too_large;
    bool now = false;
    bool tell = !final;
    {
        std::lock_guard lock(mutex_);
        --on_their_way_;
        tell = tell || state_ != State::direct;
        if (!final) {
            target_trouble_ = status.error().message;
            now = closing_;  // nobody would take it up later
            if (now)
                ++being_spooled_;
            else
                failed_.emplace(arrival, std::move(held));
            if (state_ == State::direct)
                state_ = State::leaving;
        }
    }
    if (tell)
        changed_.notify_all();
    if (final)
        held.done(std::move(status));
    else if (now)
        to_spool(std::move(held));
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

std::vector<Held> Spooler::take_released(State next) {
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

Drained Spooler::drain_some(const std::stop_token& stop) {
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

Drained Spooler::trouble(const Error& why, const std::stop_token& stop) {
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

}  // namespace

std::unique_ptr<SpoolingLog> open_spooling_log(std::unique_ptr<EventLog> target,
                                               std::unique_ptr<RocksDbLog> spool,
                                               SpoolOptions options, const Clock& clock) {
    return std::make_unique<Spooler>(std::move(target), std::move(spool), std::move(options),
                                     clock);
}

}  // namespace adtally::eventlog
