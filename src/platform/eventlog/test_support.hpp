// For tests of the embedded log: a directory, a clock, the answers to appends, reading all.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "platform/eventlog/rocksdb_log.hpp"

namespace adtally::eventlog {

inline Deadline soon() {
    return Deadline::after(Milliseconds{20'000});
}

class TempDir {
public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "eventlog-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// A clock that a test may move while the log's threads look at it.
class TestClock final : public Clock {
public:
    TimestampMs wall() const override { return TimestampMs{wall_ms_.load()}; }
    SteadyTime steady() const override { return SteadyTime{Milliseconds{steady_ms_.load()}}; }
    void set_wall(TimestampMs to) { wall_ms_ = to.value; }
    void advance(Milliseconds by) {
        wall_ms_ += by.count();
        steady_ms_ += by.count();
    }

private:
    std::atomic<std::int64_t> wall_ms_{1'700'000'000'000};
    std::atomic<std::int64_t> steady_ms_{1'000'000};
};

// What appends were answered, in order.
class Answers {
public:
    AppendDone expect(std::string id) {
        return [this, id = std::move(id)](Status status) { add(id, std::move(status)); };
    }
    bool wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_until(lock, soon().at(), [&] { return answers_.size() >= count; });
    }
    std::vector<std::pair<std::string, Status>> all() {
        std::lock_guard lock(mutex_);
        return answers_;
    }

private:
    void add(const std::string& id, Status status) {
        // Notified under the lock: who waits may destroy this at once.
        std::lock_guard lock(mutex_);
        answers_.emplace_back(id, std::move(status));
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::string, Status>> answers_;
};

// Bytes that no compression makes fewer.
inline std::string noise(std::size_t bytes) {
    thread_local std::mt19937 random{11};
    std::string made(bytes, '\0');
    for (char& byte : made)
        byte = static_cast<char>(random());
    return made;
}

inline RecordBatch batch_of(std::initializer_list<std::pair<const char*, std::string>> records) {
    RecordBatch batch;
    for (const auto& [key, value] : records)
        batch.add(key, value);
    return batch;
}

// Appends and waits for the answer.
inline Status append(EventLog& log, RecordBatch batch, std::string_view topic = "events") {
    Answers answers;
    log.producer().append(topic, std::move(batch), answers.expect(""));
    if (!answers.wait_for(1))
        return Error{ErrorCode::timed_out, "no answer"};
    return answers.all().front().second;
}

// Seeks every partition to its begin.
class FromBegin final : public AssignmentListener {
public:
    void attach(Consumer& consumer) { consumer_ = &consumer; }
    void on_assigned(std::span<const Partition> partitions) override {
        for (const Partition partition : partitions) {
            ASSERT_TRUE(consumer_->seek(partition, consumer_->watermarks(partition).value().begin));
            assigned.push_back(partition);
        }
    }
    void on_revoked(std::span<const Partition>) override {}
    std::vector<Partition> assigned;

private:
    Consumer* consumer_ = nullptr;
};

struct Follower {
    explicit Follower(EventLog& log, std::string_view topic = "events")
        : consumer(std::move(log.consumer(topic, listener).value())) {
        listener.attach(*consumer);
    }
    FromBegin listener;
    std::unique_ptr<Consumer> consumer;
};

struct Kept {
    std::int64_t offset;
    std::int64_t appended_at;
    std::string key;
    std::string value;
};
using Kepts = std::map<std::int32_t, std::vector<Kept>>;

// All that is there, by partition; offsets must be dense and times must not go back.
inline Kepts read_all(EventLog& log, std::size_t max_records = 1000) {
    Follower reader{log};
    std::int64_t expected = 0;
    const auto all = log.watermarks("events").value();
    for (const Watermarks& each : all)
        expected += each.end.value - each.begin.value;
    Kepts kept;
    FetchedBatch batch;
    while (expected > 0) {
        const Status polled = reader.consumer->poll(batch, max_records, soon());
        EXPECT_TRUE(polled) << polled.error().message;
        if (!polled || batch.records.empty()) {
            ADD_FAILURE() << expected << " records were not delivered";
            break;
        }
        auto& records = kept[batch.partition.value];
        for (const FetchedRecord& record : batch.records) {
            const auto begin = all[static_cast<std::size_t>(batch.partition.value)].begin.value;
            EXPECT_EQ(record.offset.value, begin + static_cast<std::int64_t>(records.size()));
            if (!records.empty()) {
                EXPECT_GE(record.appended_at.value, records.back().appended_at);
            }
            records.push_back({record.offset.value, record.appended_at.value,
                               std::string(record.key), std::string(record.value)});
        }
        expected -= static_cast<std::int64_t>(batch.records.size());
    }
    EXPECT_EQ(expected, 0);
    return kept;
}

inline std::multiset<std::string> values_of(const Kepts& kept) {
    std::multiset<std::string> values;
    for (const auto& [partition, records] : kept) {
        for (const Kept& each : records)
            values.insert(each.value);
    }
    return values;
}

// Asks again until `condition` holds; true if it did in time.
template <class Condition>
bool eventually(Condition condition) {
    std::mutex mutex;
    std::condition_variable nobody;
    std::unique_lock lock(mutex);
    const Deadline deadline = soon();
    while (!condition()) {
        if (deadline.passed())
            return false;
        nobody.wait_until(lock, std::chrono::steady_clock::now() + Milliseconds{5});
    }
    return true;
}

// One log in a directory of its own, as a test opens, closes and opens it again.
class LogFixture : public testing::Test {
protected:
    LogFixture() {
        options.directory = directory.path() / "log";
        options.topics = {{"events", 4}};
        options.commit_linger = Milliseconds{1};
        options.min_free_disk_bytes = 0;
    }
    EventLog& open() {
        log = open_rocksdb_log(options, clock, crash_points);
        return *log;
    }
    EventLog& reopen() {
        log.reset();
        return open();
    }
    // The line with which opening is refused; empty when it is not.
    std::string refusal() {
        log.reset();
        try {
            open();
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return {};
    }
    // The largest file of the log with this extension.
    std::filesystem::path file(const char* extension) const {
        std::filesystem::path largest;
        for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
            if (entry.path().extension() == extension &&
                (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)))
                largest = entry.path();
        }
        return largest;
    }

    TempDir directory;
    TestClock clock;
    CrashPoints crash_points;
    RocksDbLogOptions options;
    std::unique_ptr<EventLog> log;
};

// Inverts the bits of the byte at `position`.
inline void damage(const std::filesystem::path& path, std::uint64_t position) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(position));
    const auto byte = static_cast<char>(~file.get());
    file.seekp(static_cast<std::streamoff>(position));
    file.put(byte);
    ASSERT_TRUE(file.good());
}

}  // namespace adtally::eventlog
