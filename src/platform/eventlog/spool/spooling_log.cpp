#include "platform/eventlog/spool/spooling_log.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>

namespace adtally::eventlog {
namespace {

constexpr Partition only{0};
constexpr Milliseconds look_again{50};

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
        spooling_ = waiting() > 0;
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
    // What the target does not take any more goes to the spool, so that one ends last.
    void close() override {
        if (draining_.joinable()) {
            draining_.request_stop();
            draining_.join();
        }
        consumer_.reset();
        target_->close();
        spool_->close();
    }

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
    void to_spool(RecordBatch batch, AppendDone done);
    void begin_spooling(const Error& why);
    void drain(const std::stop_token& stop);
    void drain_some(const std::stop_token& stop);
    Status pass_on(const FetchedBatch& fetched);
    bool finished();
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
    std::atomic<std::uint64_t> spooled_{0};
    std::atomic<std::uint64_t> drained_{0};
    std::atomic<std::int64_t> oldest_appended_at_{0};  // wall time in ms; 0: none
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    bool spooling_ = false;
    std::uint64_t being_spooled_ = 0;  // appends to the spool that are not answered yet
    std::string target_trouble_;
    std::jthread draining_;
};

void Spooler::append(std::string_view topic, RecordBatch batch, AppendDone done) {
    if (topic != options_.topic) {
        target_->producer().append(topic, std::move(batch), std::move(done));
        return;
    }
    {
        std::unique_lock lock(mutex_);
        if (spooling_) {
            ++being_spooled_;
            lock.unlock();
            to_spool(std::move(batch), std::move(done));
            return;
        }
    }
    // The target consumes what it is given; a copy is what a durable promise costs here.
    auto kept = std::make_unique<RecordBatch>(batch);
    target_->producer().append(
        topic, std::move(batch),
        [this, kept = std::move(kept), done = std::move(done)](Status status) mutable {
            if (status || status.error().code == ErrorCode::too_large)
                return done(std::move(status));
            begin_spooling(status.error());
            to_spool(std::move(*kept), std::move(done));
        });
}

// The caller has counted it in being_spooled_.
void Spooler::to_spool(RecordBatch batch, AppendDone done) {
    const std::uint64_t records = batch.size();
    auto answer = [this, records, done = std::move(done)](Status status) mutable {
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
    spool_->producer().append(options_.topic, std::move(batch), std::move(answer));
}

void Spooler::begin_spooling(const Error& why) {
    bool begins = false;
    {
        std::lock_guard lock(mutex_);
        ++being_spooled_;
        begins = !std::exchange(spooling_, true);
        target_trouble_ = why.message;
    }
    if (begins)
        event("spool_filling", why.message);
    changed_.notify_all();
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
    state.spooling = spooling_;
    state.target_trouble = target_trouble_;
    return state;
}

void Spooler::drain(const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "spool-drain");
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [this] { return spooling_; });
        }
        while (!stop.stop_requested() && !finished())
            drain_some(stop);
    }
}

// Whether the spool is empty and will be: then events go to the target again.
bool Spooler::finished() {
    {
        std::lock_guard lock(mutex_);
        if (being_spooled_ > 0 || waiting() > 0)
            return false;
        spooling_ = false;
        target_trouble_.clear();
        oldest_appended_at_ = 0;
    }
    event("spool_empty", "");
    return true;
}

void Spooler::drain_some(const std::stop_token& stop) {
    FetchedBatch fetched;
    fetched.wants_headers = true;
    const Status polled =
        consumer_->poll(fetched, options_.drain_records, Deadline::after(look_again));
    Status passed = polled;
    if (polled && fetched.records.empty())
        return;
    if (polled) {
        oldest_appended_at_ = fetched.records.front().appended_at.value;
        passed = pass_on(fetched);
    }
    if (passed)
        passed = spool_->remove_before(options_.topic, only,
                                       Offset{fetched.records.back().offset.value + 1});
    if (passed) {
        drained_ += fetched.records.size();
        return;
    }
    {
        std::lock_guard lock(mutex_);
        target_trouble_ = passed.error().message;
    }
    (void)consumer_->seek(only, ends().begin);
    wait(stop, options_.try_again);
}

Status Spooler::pass_on(const FetchedBatch& fetched) {
    std::vector<std::future<Status>> told;
    for (std::size_t at = 0; at < fetched.records.size();) {
        RecordBatch batch;
        const auto headers = fetched.headers_of(at);
        for (const Header& header : headers)
            batch.add_header(header.name, header.value);
        for (; at < fetched.records.size() && fetched.headers_of(at).data() == headers.data(); ++at)
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
