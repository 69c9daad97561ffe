// A MetricsStore in memory for tests, with the guard of the real one and faults on command.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/processor/ports.hpp"

namespace adtally::processor::fakes {

class MemoryStore final : public MetricsStore {
public:
    struct State {
        std::map<std::int32_t, std::int64_t> offsets;
        std::map<std::int64_t, domain::MetricDelta> ads;
        Books books;
        std::map<std::int32_t, OffsetRanges> dead_lettered;
    };

    enum class Fault {
        none,
        lose_request,  // nothing applied, an error
        lose_answer,   // applied, an error
        refuse,        // a foreign key
    };

    void next_faults(Fault fault, int times) {
        std::lock_guard lock(mutex_);
        fault_ = fault;
        faults_left_ = times;
    }
    State state() const {
        std::lock_guard lock(mutex_);
        return state_;
    }
    // What a Redis that lost its newest writes comes back with.
    void roll_back_to(State earlier) {
        std::lock_guard lock(mutex_);
        state_ = std::move(earlier);
        ++generation_;
    }

    Result<std::vector<FlushOutcome>> apply(std::span<const Flush> flushes,
                                            const Thresholds&) override {
        std::lock_guard lock(mutex_);
        Fault fault = faults_left_ != 0 ? fault_ : Fault::none;
        faults_left_ -= faults_left_ > 0 ? 1 : 0;
        if (fault == Fault::lose_request)
            return Error{ErrorCode::unavailable, "told to lose the request"};
        std::vector<FlushOutcome> outcomes;
        for (const Flush& flush : flushes)
            outcomes.push_back(fault == Fault::refuse ? refusal() : apply_one(flush));
        if (fault == Fault::lose_answer)
            return Error{ErrorCode::timed_out, "told to lose the answer"};
        return outcomes;
    }
    Result<std::vector<std::optional<Offset>>> positions(
        std::span<const Partition> partitions) override {
        std::lock_guard lock(mutex_);
        std::vector<std::optional<Offset>> all;
        for (Partition partition : partitions) {
            auto found = state_.offsets.find(partition.value);
            all.push_back(found == state_.offsets.end()
                              ? std::nullopt
                              : std::optional<Offset>(Offset{found->second}));
        }
        return all;
    }
    Result<OffsetRanges> dead_lettered(Partition partition, Offset from) override {
        std::lock_guard lock(mutex_);
        OffsetRanges found = state_.dead_lettered[partition.value];
        found.trim_below(from);
        return found;
    }
    Status bind_log(const std::string&) override {
        std::lock_guard lock(mutex_);
        generation_ = std::max<std::uint64_t>(generation_, 1);  // as a client connects: when asked
        ++binds_;
        return ok();
    }
    int binds() const {
        std::lock_guard lock(mutex_);
        return binds_;
    }
    std::uint64_t generation() const override {
        std::lock_guard lock(mutex_);
        return generation_;
    }

private:
    static FlushOutcome refusal() {
        FlushOutcome outcome;
        outcome.kind = FlushOutcome::Kind::refused;
        outcome.reason = "told to refuse";
        return outcome;
    }
    FlushOutcome apply_one(const Flush& flush) {
        FlushOutcome outcome;
        auto stored = state_.offsets.find(flush.partition.value);
        bool matches = stored == state_.offsets.end()
                           ? flush.first
                           : !flush.first && stored->second == flush.start.value;
        if (!matches) {
            outcome.kind = FlushOutcome::Kind::conflict;
            return outcome;
        }
        for (const EntityDelta& ad : flush.deltas->ads)
            state_.ads[ad.id].merge(ad.delta);
        state_.books.counted += flush.books.counted;
        state_.books.duplicates += flush.books.duplicates;
        state_.books.dead_lettered += flush.books.dead_lettered;
        state_.books.expired += flush.books.expired;
        auto& letters = state_.dead_lettered[flush.partition.value];
        letters.add(flush.deltas->dead_letters);
        letters.trim_below(flush.log_begin);
        state_.offsets[flush.partition.value] = flush.end.value;
        return outcome;
    }

    mutable std::mutex mutex_;
    State state_;
    Fault fault_ = Fault::none;
    int faults_left_ = 0;
    std::uint64_t generation_ = 0;
    int binds_ = 0;
};

}  // namespace adtally::processor::fakes
