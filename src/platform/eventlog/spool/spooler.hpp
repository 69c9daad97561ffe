// How spooling_log.hpp keeps its promise: the four states, and what is held between two of them.
//
// Threads. Appends and answers come on any; `spool-drain` alone (draining.cpp) reads the spool,
// passes on, and lets go what was held, so that it keeps its order. One mutex for the state.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "platform/eventlog/spool/spooling_log.hpp"

namespace adtally::eventlog {

class Spooler final : public SpoolingLog, public Producer, private AssignmentListener {
public:
    // Throws as open_spooling_log().
    Spooler(std::unique_ptr<EventLog> target, std::unique_ptr<RocksDbLog> spool,
            SpoolOptions options, const Clock& clock);
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
    static constexpr Partition only{0};
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
    std::optional<Error> refusal(const RecordBatch& batch) const;
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

}  // namespace adtally::eventlog
