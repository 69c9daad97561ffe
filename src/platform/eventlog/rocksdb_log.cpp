// The embedded log put together: store, topics, queue, committer.
#include "platform/eventlog/rocksdb_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/assert.hpp"
#include "platform/eventlog/committer.hpp"
#include "platform/eventlog/rocksdb_consumer.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::size_t largest_record_limit = 64u << 20;
constexpr std::size_t max_header_bytes = 64u << 10;

void check_options(const RocksDbLogOptions& options) {
    std::set<std::string_view> names;
    for (const auto& topic : options.topics) {
        if (topic.name.empty() || topic.partitions < 1 || topic.partitions > 1024)
            throw std::runtime_error(
                fmt::format("topic '{}' with {} partitions: a topic needs a name and 1 to 1024 "
                            "partitions",
                            topic.name, topic.partitions));
        if (!names.insert(topic.name).second)
            throw std::runtime_error(
                fmt::format("topic '{}' is listed twice: list it once", topic.name));
    }
    if (options.max_record_bytes > largest_record_limit)
        throw std::runtime_error(fmt::format("records of {} bytes: choose at most {}",
                                             options.max_record_bytes, largest_record_limit));
}

class EmbeddedLog final : public RocksDbLog, public Producer {
public:
    EmbeddedLog(const RocksDbLogOptions& options, const Clock& clock, CrashPoints& crash_points)
        : max_record_bytes_(options.max_record_bytes),
          store_(options.directory),
          queue_({options.commit_linger, options.commit_max_bytes, options.max_bytes_in_flight}),
          reclaimer_(store_) {
        Grouper grouper{options.topics.size()};
        for (const auto& each : options.topics) {
            StoredTopic stored = store_.open_topic(each.name, each.partitions);
            grouper.reset(topics_.size(), stored.id, stored.partitions);
            topics_.push_back(std::make_unique<TopicState>(
                each.name, std::move(stored), options.tail_cache_bytes, each.keep_forever));
        }
        committer_ = std::make_unique<Committer>(
            queue_, store_, topics_, reclaimer_,
            DiskSpace{options.directory, options.min_free_disk_bytes, options.free_disk_bytes},
            std::move(grouper), options.retention, clock, crash_points);
    }

    ~EmbeddedLog() override {
        close();
        ADTALLY_ASSERT(consumers_ == 0);
    }

    void append(std::string_view topic, RecordBatch batch, AppendDone done) override {
        const std::size_t index = index_of(topic);
        Status accepted = index == topics_.size() ? Status{unknown(topic)} : check(batch);
        if (!accepted || batch.empty()) {
            done(std::move(accepted));
            return;
        }
        PendingAppend append{index, std::move(batch), std::move(done)};
        if (auto refused = queue_.push(append))
            append.done(std::move(*refused));
    }

    LogHealth health() const override {
        LogHealth health;
        if (auto refusal = queue_.refusal()) {
            health.up = false;
            health.reason = std::move(refusal->message);
        }
        const auto in_flight = queue_.in_flight();
        health.appends_in_flight = in_flight.appends;
        health.bytes_in_flight = in_flight.bytes;
        return health;
    }

    std::size_t max_record_bytes() const override { return max_record_bytes_; }
    Producer& producer() override { return *this; }

    Result<std::unique_ptr<Consumer>> consumer(std::string_view name,
                                               AssignmentListener& listener) override {
        const std::size_t index = index_of(name);
        if (index == topics_.size())
            return unknown(name);
        return std::unique_ptr<Consumer>(
            std::make_unique<RocksDbConsumer>(store_, *topics_[index], listener, consumers_));
    }

    Result<std::unique_ptr<Reader>> reader(std::string_view name) override {
        const std::size_t index = index_of(name);
        if (index == topics_.size())
            return unknown(name);
        return std::unique_ptr<Reader>(
            std::make_unique<RocksDbConsumer>(store_, *topics_[index], nobody_, consumers_));
    }

    Result<TopicInfo> topic(std::string_view name) const override {
        const std::size_t index = index_of(name);
        if (index == topics_.size())
            return unknown(name);
        return topics_[index]->info();
    }

    Result<std::vector<Watermarks>> watermarks(std::string_view name) const override {
        const std::size_t index = index_of(name);
        if (index == topics_.size())
            return unknown(name);
        return topics_[index]->watermarks();
    }

    Status remove_before(std::string_view name, Partition partition, Offset begin) override {
        const std::size_t index = index_of(name);
        if (index == topics_.size())
            return unknown(name);
        TopicState& state = *topics_[index];
        const Watermarks now = state.watermarks(partition);
        if (begin <= now.begin)
            return ok();
        if (begin > now.end)
            return Error{ErrorCode::conflict,
                         fmt::format("{}/{} ends at {}, before {}", name, partition.value,
                                     now.end.value, begin.value)};
        ADTALLY_TRY(store_.remove_before(state.id_of(partition), now.begin, begin));
        state.set_begin(partition, begin);
        reclaimer_.ask();
        return ok();
    }

    void close() override {
        std::lock_guard lock(closing_);
        queue_.close();
        committer_.reset();
    }

private:
    std::size_t index_of(std::string_view name) const {
        const auto found = std::find_if(topics_.begin(), topics_.end(), [&](const auto& each) {
            return each->info().name == name;
        });
        return static_cast<std::size_t>(found - topics_.begin());
    }

    static Error unknown(std::string_view topic) {
        return {ErrorCode::not_found, fmt::format("the event log has no topic '{}'", topic)};
    }

    Status check(const RecordBatch& batch) const {
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const auto [key, value] = batch[i];
            if (key.size() + value.size() > max_record_bytes_)
                return Error{ErrorCode::too_large,
                             fmt::format("record {} of the batch has {} bytes, the limit is {}", i,
                                         key.size() + value.size(), max_record_bytes_)};
        }
        std::size_t header_bytes = 0;
        for (const Header& header : batch.headers())
            header_bytes += header.name.size() + header.value.size() + 8;
        if (header_bytes > max_header_bytes)
            return Error{ErrorCode::too_large,
                         fmt::format("the headers of the batch have {} bytes, the limit is {}",
                                     header_bytes, max_header_bytes)};
        return ok();
    }

    const std::size_t max_record_bytes_;
    RocksDbStore store_;
    Topics topics_;
    CommitQueue queue_;
    Reclaimer reclaimer_;
    std::atomic<int> consumers_{0};
    // Of a reader that never polls.
    struct Nobody final : AssignmentListener {
        void on_assigned(std::span<const Partition>) override {}
        void on_revoked(std::span<const Partition>) override {}
    } nobody_;
    std::mutex closing_;
    std::unique_ptr<Committer> committer_;
};

}  // namespace

std::unique_ptr<RocksDbLog> open_rocksdb_log(const RocksDbLogOptions& options, const Clock& clock,
                                             CrashPoints& crash_points) {
    check_options(options);
    return std::make_unique<EmbeddedLog>(options, clock, crash_points);
}

}  // namespace adtally::eventlog
