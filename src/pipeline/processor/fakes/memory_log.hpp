// An event log in memory for tests: one topic with partitions, appended to by hand.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "platform/eventlog/event_log.hpp"

namespace adtally::processor::fakes {

class MemoryLog final : public eventlog::EventLog, public eventlog::Producer {
public:
    struct Stored {
        TimestampMs appended_at;
        std::string key;
        std::string value;
        std::vector<eventlog::Header> headers;
        bool marker = false;  // an offset without a record
    };

    explicit MemoryLog(std::int32_t partitions) : partitions_(partitions) {
        topics_["ad-events"].resize(static_cast<std::size_t>(partitions));
    }

    // Appends to ad-events.
    void put(std::int32_t partition, TimestampMs at, std::string value, std::string key = "k") {
        std::lock_guard lock(mutex_);
        topics_["ad-events"][static_cast<std::size_t>(partition)].push_back(
            {at, std::move(key), std::move(value), {}});
        changed_.notify_all();
    }
    // An offset without a record, as the marker of a transaction has it.
    void put_marker(std::int32_t partition) {
        std::lock_guard lock(mutex_);
        topics_["ad-events"][static_cast<std::size_t>(partition)].push_back(
            {TimestampMs{0}, {}, {}, {}, true});
    }
    std::vector<Stored> all(const std::string& topic) {
        std::lock_guard lock(mutex_);
        std::vector<Stored> list;
        for (const auto& partition : topics_[topic])
            list.insert(list.end(), partition.begin(), partition.end());
        return list;
    }
    // The next appends fail so, and write nothing.
    void fail_appends(ErrorCode code) {
        std::lock_guard lock(mutex_);
        refuse_ = true;
        refusal_ = code;
    }
    // Retention of ad-events: what stands before `begin` is gone, also what is yet to come.
    void expire_before(std::int32_t partition, std::int64_t begin) {
        std::lock_guard lock(mutex_);
        begins_[partition] = begin;
    }
    // When appends happen.
    void set_time(TimestampMs now) {
        std::lock_guard lock(mutex_);
        now_ = now;
    }
    void refuse_appends(bool refuse) {
        std::lock_guard lock(mutex_);
        refuse_ = refuse;
    }

    void refuse_reads(bool refuse) {
        std::lock_guard lock(mutex_);
        refuse_reads_ = refuse;
    }

    // Questions about the partition of ad-events fail, and reading stretches of it.
    void mute(std::int32_t partition, bool mute) {
        std::lock_guard lock(mutex_);
        if (mute)
            muted_.insert(partition);
        else
            muted_.erase(partition);
    }
    // Called before a question about a muted partition fails: it may let time pass.
    void when_mute(std::function<void()> called) { when_mute_ = std::move(called); }
    // Its records do not come, and nobody says why.
    void withhold(std::int32_t partition, bool withhold) {
        std::lock_guard lock(mutex_);
        withheld_ = withhold ? partition : -1;
        changed_.notify_all();
    }
    // Each reader that is open now delivers nothing any more.
    void end_readers() {
        std::lock_guard lock(mutex_);
        ++reign_;
    }
    // The log's own batches end so soon.
    void read_at_most(std::int64_t records) {
        std::lock_guard lock(mutex_);
        read_at_most_ = records;
    }
    // How many stretches were read without a poll in between, at most.
    int most_reads_without_poll() const {
        std::lock_guard lock(mutex_);
        return most_reads_;
    }

    eventlog::Producer& producer() override { return *this; }
    void append(std::string_view topic, eventlog::RecordBatch batch,
                eventlog::AppendDone done) override {
        Status status = ok();
        {
            std::lock_guard lock(mutex_);
            auto& partitions = topics_[std::string(topic)];
            partitions.resize(static_cast<std::size_t>(partitions_));
            status = judge(batch);
            for (std::size_t i = 0; status && i < batch.size(); ++i)
                partitions[0].push_back({now_,
                                         std::string(batch[i].key),
                                         std::string(batch[i].value),
                                         {batch.headers().begin(), batch.headers().end()}});
        }
        done(std::move(status));
    }
    eventlog::LogHealth health() const override { return {}; }
    std::size_t max_record_bytes() const override {
        std::lock_guard lock(mutex_);
        return max_record_bytes_;
    }
    // Larger ones are `too_large`.
    void limit_records(std::size_t bytes) {
        std::lock_guard lock(mutex_);
        max_record_bytes_ = bytes;
        taken_bytes_ = bytes;
    }
    // The cluster takes less than the producer says: its limit was lowered.
    void take_at_most(std::size_t bytes) {
        std::lock_guard lock(mutex_);
        taken_bytes_ = bytes;
    }
    // So many appends are taken, each later one is `overloaded`.
    void take_appends(std::int64_t count) {
        std::lock_guard lock(mutex_);
        appends_left_ = count;
    }

    Result<std::unique_ptr<eventlog::Consumer>> consumer(
        std::string_view topic, eventlog::AssignmentListener& listener) override {
        std::unique_ptr<eventlog::Consumer> made =
            std::make_unique<Follower>(*this, std::string(topic), &listener);
        return made;
    }
    Result<std::unique_ptr<eventlog::Reader>> reader(std::string_view topic) override {
        std::unique_ptr<eventlog::Reader> made =
            std::make_unique<Follower>(*this, std::string(topic), nullptr);
        return made;
    }
    Result<eventlog::TopicInfo> topic(std::string_view name) const override {
        std::lock_guard lock(mutex_);
        if (!topics_.contains(std::string(name)))
            return Error{ErrorCode::not_found, "no such topic"};
        return eventlog::TopicInfo{std::string(name), partitions_, "log-1"};
    }
    Result<std::vector<eventlog::Watermarks>> watermarks(std::string_view topic) const override {
        std::lock_guard lock(mutex_);
        std::vector<eventlog::Watermarks> all;
        for (const auto& partition : topics_.at(std::string(topic)))
            all.push_back({Offset{0}, Offset{static_cast<std::int64_t>(partition.size())}});
        return all;
    }
    void close() override {}

private:
    int reign() {
        std::lock_guard lock(mutex_);
        return reign_;
    }
    bool is_mute(Partition partition) const {
        const bool mute = muted_.contains(partition.value);
        if (mute && when_mute_)
            when_mute_();
        return mute;
    }
    Status judge(const eventlog::RecordBatch& batch) {
        if (refuse_)
            return Error{refusal_, "told to refuse"};
        for (std::size_t i = 0; i < batch.size(); ++i)
            if (batch[i].key.size() + batch[i].value.size() > taken_bytes_)
                return Error{ErrorCode::too_large, "a record is too large"};
        if (appends_left_ == 0)
            return Error{ErrorCode::overloaded, "no more is taken"};
        appends_left_ -= appends_left_ > 0 ? 1 : 0;
        return ok();
    }

    class Follower final : public eventlog::Consumer {
    public:
        Follower(MemoryLog& log, std::string topic, eventlog::AssignmentListener* listener)
            : log_(log), topic_(std::move(topic)), listener_(listener) {}

        Status poll(eventlog::FetchedBatch& batch, std::size_t max_records,
                    Deadline deadline) override {
            if (!assigned_) {
                assigned_ = true;
                std::vector<Partition> all;
                all.reserve(static_cast<std::size_t>(log_.partitions_));
                for (std::int32_t i = 0; i < log_.partitions_; ++i)
                    all.push_back(Partition{i});
                listener_->on_assigned(all);
            }
            batch.clear();
            if (max_records == 0)
                return ok();
            if (ended())
                return Error{ErrorCode::unavailable, "told to end"};
            std::unique_lock lock(log_.mutex_);
            log_.reads_ = 0;
            log_.changed_.wait_until(lock, deadline.at(), [this] { return next_due() >= 0; });
            std::int32_t due = next_due();
            if (due < 0)
                return ok();
            std::int64_t from = next_[Partition{due}];
            batch.partition = Partition{due};
            if (from < log_.begins_[due])
                return Error{ErrorCode::not_found, "removed by retention"};
            const std::int64_t to = from + static_cast<std::int64_t>(max_records);
            fill(Partition{due}, from, to, batch);
            next_[Partition{due}] = std::min(to, size(Partition{due}));
            turn_ = due + 1;
            return ok();
        }
        bool ended() const override {
            std::lock_guard lock(log_.mutex_);
            return reign_ != log_.reign_;
        }
        Status seek(Partition partition, Offset next) override {
            next_[partition] = next.value;
            return ok();
        }
        Result<eventlog::Watermarks> watermarks(Partition partition) override {
            std::lock_guard lock(log_.mutex_);
            if (log_.is_mute(partition))
                return Error{ErrorCode::unavailable, "told to be mute"};
            return eventlog::Watermarks{
                Offset{std::min(log_.begins_[partition.value], size(partition))},
                Offset{size(partition)}};
        }
        Result<Offset> offset_at(Partition partition, TimestampMs at) override {
            std::lock_guard lock(log_.mutex_);
            const auto& records = of(partition);
            std::size_t i = 0;
            while (i < records.size() && records[i].appended_at < at)
                ++i;
            return Offset{static_cast<std::int64_t>(i)};
        }
        Status read(Partition partition, Offset from, Offset to,
                    eventlog::FetchedBatch& batch) override {
            std::lock_guard lock(log_.mutex_);
            batch.clear();
            if (log_.refuse_reads_)
                return Error{ErrorCode::unavailable, "told to refuse"};
            if (log_.is_mute(partition))
                return Error{ErrorCode::unavailable, "told to be mute"};
            log_.most_reads_ = std::max(log_.most_reads_, ++log_.reads_);
            std::int64_t end = std::min(to.value, from.value + log_.read_at_most_);
            do
                fill(partition, from.value, end, batch);
            while (batch.records.empty() && end++ < to.value);
            return ok();
        }
        void commit_hint(Partition, Offset) override {}
        std::optional<Offset> known_end(Partition partition) const override {
            std::lock_guard lock(log_.mutex_);
            return Offset{static_cast<std::int64_t>(
                log_.topics_.at(topic_)[static_cast<std::size_t>(partition.value)].size())};
        }

    private:
        const std::vector<Stored>& of(Partition partition) {
            return log_.topics_[topic_][static_cast<std::size_t>(partition.value)];
        }
        std::int64_t size(Partition partition) {
            return static_cast<std::int64_t>(of(partition).size());
        }
        std::int32_t next_due() {
            for (std::int32_t i = 0; i < log_.partitions_; ++i) {
                Partition partition{(turn_ + i) % log_.partitions_};
                auto sought = next_.find(partition);
                if (partition.value != log_.withheld_ && sought != next_.end() &&
                    sought->second < size(partition))
                    return partition.value;
            }
            return -1;
        }
        // Copies, with the padding that a real log promises.
        void fill(Partition partition, std::int64_t from, std::int64_t to,
                  eventlog::FetchedBatch& batch) {
            auto copies = std::make_shared<std::vector<std::string>>();
            batch.partition = partition;
            to = std::min(to, size(partition));
            copies->reserve(static_cast<std::size_t>(std::max<std::int64_t>(0, to - from)));
            for (std::int64_t i = from; i < to; ++i) {
                const Stored& stored = of(partition)[static_cast<std::size_t>(i)];
                if (stored.marker)
                    continue;
                std::string& copy = copies->emplace_back(stored.key + stored.value);
                copy.append(eventlog::value_padding, ' ');
                const std::string_view key = std::string_view(copy).substr(0, stored.key.size());
                const std::string_view value =
                    std::string_view(copy).substr(key.size(), stored.value.size());
                if (batch.wants_headers)
                    batch.header_runs.push_back(
                        {static_cast<std::uint32_t>(batch.records.size()), stored.headers});
                batch.records.push_back({Offset{i}, stored.appended_at, key, value});
            }
            batch.storage = copies;
        }

        MemoryLog& log_;
        int reign_ = log_.reign();
        std::string topic_;
        eventlog::AssignmentListener* listener_;  // none of one that never polls
        bool assigned_ = false;
        std::map<Partition, std::int64_t> next_;
        std::int32_t turn_ = 0;
    };

    std::int32_t partitions_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::vector<std::vector<Stored>>> topics_;
    std::map<std::int32_t, std::int64_t> begins_;
    TimestampMs now_{0};
    std::size_t max_record_bytes_ = 1 << 20;
    std::size_t taken_bytes_ = 1 << 20;
    std::int64_t appends_left_ = -1;
    int reign_ = 0;
    std::set<std::int32_t> muted_;
    std::function<void()> when_mute_;
    std::int32_t withheld_ = -1;
    std::int64_t read_at_most_ = std::numeric_limits<std::int32_t>::max();
    int reads_ = 0;  // since the last poll
    int most_reads_ = 0;
    bool refuse_ = false;
    bool refuse_reads_ = false;
    ErrorCode refusal_ = ErrorCode::unavailable;
};

}  // namespace adtally::processor::fakes
