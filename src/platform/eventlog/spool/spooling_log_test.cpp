#include "platform/eventlog/spool/spooling_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>

#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A log that can be away: it fails what it is given, or fails it after having written it.
class Target final : public EventLog, public Producer {
public:
    enum class Mode : std::uint8_t { works, away, written_but_timed_out, refuses };

    explicit Target(std::unique_ptr<EventLog> log) : log_(std::move(log)) {}
    void set(Mode mode) { mode_ = mode; }
    // Works for so many appends more, then is away.
    void works_for(int appends) {
        left_ = appends;
        mode_ = Mode::works;
    }

    // Keeps what comes unanswered.
    void hold(bool on) { hold_ = on; }
    void fail_held(std::size_t appends) {
        for (std::size_t i = 0; i < appends; ++i) {
            AppendDone done;
            {
                std::lock_guard lock(mutex_);
                done = std::move(held_.front());
                held_.pop_front();
            }
            done(Error{ErrorCode::timed_out, "Kafka does not answer"});
        }
    }

    void append(std::string_view topic, RecordBatch batch, AppendDone done) override {
        if (mode_ == Mode::refuses)
            return done(Error{ErrorCode::too_large, "too large for the broker"});
        if (hold_ && mode_ == Mode::works) {
            std::lock_guard lock(mutex_);
            held_.push_back(std::move(done));
            return;
        }
        Error away{ErrorCode::timed_out, "Kafka does not answer"};
        if (mode_ == Mode::away || left_.fetch_sub(1) <= 0)
            return done(std::move(away));
        if (mode_ == Mode::works)
            return log_->producer().append(topic, std::move(batch), std::move(done));
        log_->producer().append(
            topic, std::move(batch),
            [away, done = std::move(done)](const Status&) mutable { done(std::move(away)); });
    }
    LogHealth health() const override { return log_->producer().health(); }
    std::size_t max_record_bytes() const override { return max_record_bytes_; }
    void set_max_record_bytes(std::size_t bytes) { max_record_bytes_ = bytes; }
    Producer& producer() override { return *this; }
    Result<std::unique_ptr<Consumer>> consumer(std::string_view topic,
                                               AssignmentListener& listener) override {
        return log_->consumer(topic, listener);
    }
    Result<TopicInfo> topic(std::string_view name) const override { return log_->topic(name); }
    Result<std::unique_ptr<Reader>> reader(std::string_view topic) override {
        return log_->reader(topic);
    }
    Result<std::vector<Watermarks>> watermarks(std::string_view topic) const override {
        return log_->watermarks(topic);
    }
    void close() override { log_->close(); }

private:
    const std::unique_ptr<EventLog> log_;
    std::atomic<Mode> mode_{Mode::works};
    std::atomic<int> left_{1'000'000'000};
    std::atomic<bool> hold_{false};
    std::atomic<std::size_t> max_record_bytes_{500'000};
    std::mutex mutex_;
    std::deque<AppendDone> held_;
};

class SpoolingLogTest : public testing::Test {
protected:
    SpoolingLogTest() { open(); }
    ~SpoolingLogTest() override { log.reset(); }

    void open(Target::Mode mode = Target::Mode::works) {
        log.reset();
        RocksDbLogOptions kafka;
        kafka.directory = directory.path() / "target";
        kafka.topics = {{"events", 4}};
        auto made = std::make_unique<Target>(open_rocksdb_log(kafka, clock, crash_points));
        made->set(mode);
        target = made.get();
        RocksDbLogOptions spool;
        spool.directory = directory.path() / "spool";
        spool.topics = {{"events", 1, true}};
        options.topic = "events";
        options.try_again = Milliseconds{20};
        log = open_spooling_log(std::move(made), open_rocksdb_log(spool, clock, crash_points),
                                options, clock);
    }
    Status put(int number) { return append(*log, batch_of({{"key", std::to_string(number)}})); }
    bool drained() {
        return eventually([&] { return !log->spool().spooling; });
    }
    // Of the one key, in order.
    std::vector<int> arrived() {
        std::vector<int> values;
        for (const auto& [partition, kept] : read_all(*target))
            for (const auto& record : kept)
                values.push_back(std::stoi(record.value));
        return values;
    }

    TempDir directory;
    SystemClock clock;
    CrashPoints crash_points;
    SpoolOptions options;
    Target* target = nullptr;
    std::unique_ptr<SpoolingLog> log;
};

TEST_F(SpoolingLogTest, DoesNotKeepWhatTheTargetWillNeverTake) {
    target->set(Target::Mode::away);
    ASSERT_TRUE(put(1));
    target->set_max_record_bytes(100);
    const Status refused = append(*log, batch_of({{"key", std::string(100, '7')}}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::too_large);
    ASSERT_TRUE(put(2));
    target->set(Target::Mode::works);
    EXPECT_TRUE(drained());
    EXPECT_THAT(arrived(), ElementsAre(1, 2));
}

TEST_F(SpoolingLogTest, LeavesEventsToATargetThatTakesThem) {
    ASSERT_TRUE(put(1));
    EXPECT_FALSE(log->spool().spooling);
    EXPECT_EQ(log->spool().spooled, 0u);
    EXPECT_THAT(arrived(), ElementsAre(1));
}

TEST_F(SpoolingLogTest, KeepsWhatTheTargetFailsAndPassesItOnInOrder) {
    ASSERT_TRUE(put(1));
    target->set(Target::Mode::away);
    for (int i = 2; i <= 50; ++i)
        ASSERT_TRUE(put(i));
    EXPECT_TRUE(log->spool().spooling);
    EXPECT_EQ(log->spool().records, 49u);
    EXPECT_THAT(log->spool().target_trouble, HasSubstr("Kafka does not answer"));
    EXPECT_TRUE(log->producer().health().up);
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    ASSERT_TRUE(put(51));
    EXPECT_EQ(log->spool().records, 0u);
    EXPECT_EQ(log->spool().drained, 49u);
    std::vector<int> all(51);
    for (int i = 0; i < 51; ++i)
        all[static_cast<std::size_t>(i)] = i + 1;
    EXPECT_EQ(arrived(), all);
}

// Always some hundreds on their way, as at a busy collector: never is nothing being spooled.
TEST_F(SpoolingLogTest, ComesBackToTheTargetWhileEventsKeepComing) {
    std::atomic<bool> over{false};
    std::atomic<int> sent{0};
    std::atomic<int> taken{0};
    std::jthread stream([&] {
        while (!over) {
            const int number = ++sent;
            log->producer().append("events", batch_of({{"key", std::to_string(number)}}),
                                   [&](const Status& status) { taken += status ? 1 : 0; });
            while (sent - taken > 300 && !over)
                std::this_thread::yield();
        }
    });
    for (int round = 0; round < 5; ++round) {
        const int before = sent;
        ASSERT_TRUE(eventually([&] { return sent > before + 500; }));
        target->set(Target::Mode::away);
        ASSERT_TRUE(eventually([&] { return log->spool().records > 200; }));
        target->set(Target::Mode::works);
        ASSERT_TRUE(drained()) << log->spool().records;
    }
    over = true;
    stream.join();
    ASSERT_TRUE(eventually([&] { return taken == sent; }));
    std::vector<int> values = arrived();
    EXPECT_EQ(values.size(), static_cast<std::size_t>(sent));
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end())) << "one key, one order";
}

TEST_F(SpoolingLogTest, SpoolsWhatFailsInTheOrderInWhichItCame) {
    target->hold(true);
    std::vector<std::future<Status>> told;
    auto send = [&](int number) {
        auto answer = std::make_shared<std::promise<Status>>();
        told.push_back(answer->get_future());
        log->producer().append("events", batch_of({{"key", std::to_string(number)}}),
                               [answer](Status status) { answer->set_value(std::move(status)); });
    };
    for (int i = 1; i <= 10; ++i)
        send(i);
    target->fail_held(5);  // the oldest half
    ASSERT_TRUE(eventually([&] { return log->spool().spooling; }));
    for (int i = 11; i <= 20; ++i)
        send(i);
    target->set(Target::Mode::away);
    target->fail_held(5);
    for (auto& each : told)
        ASSERT_TRUE(each.get());
    target->hold(false);
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    std::vector<int> all(20);
    std::iota(all.begin(), all.end(), 1);
    EXPECT_EQ(arrived(), all);
}

TEST_F(SpoolingLogTest, SaysThatWhatWaitsWillNeverBeTaken) {
    target->set(Target::Mode::away);
    ASSERT_TRUE(put(1));
    target->set(Target::Mode::refuses);
    ASSERT_TRUE(eventually([&] { return !log->producer().health().up; }));
    EXPECT_THAT(log->producer().health().reason,
                HasSubstr("will not be: too large for the broker"));
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    EXPECT_TRUE(log->producer().health().up);
}

TEST_F(SpoolingLogTest, KeepsTheHeadersOfEachRecord) {
    target->set(Target::Mode::away);
    for (int i = 0; i < 30; ++i) {
        RecordBatch batch = batch_of({{"key", std::to_string(i)}});
        if (i % 3 != 0)
            batch.add_header("traceparent", std::to_string(i / 2));
        ASSERT_TRUE(append(*log, std::move(batch)));
    }
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    const auto reader = std::move(log->reader("events").value());
    FetchedBatch fetched;
    fetched.wants_headers = true;
    std::int64_t at = 0;
    while (at < 30) {
        ASSERT_TRUE(reader->read(partition_of("key", 4), Offset{at}, Offset{30}, fetched));
        for (std::size_t k = 0; k < fetched.records.size(); ++k, ++at) {
            ASSERT_EQ(fetched.records[k].value, std::to_string(at));
            const auto headers = fetched.headers_of(k);
            ASSERT_EQ(headers.size(), at % 3 != 0 ? 1u : 0u) << at;
            ASSERT_EQ(headers.empty() ? "" : headers[0].value,
                      at % 3 != 0 ? std::to_string(at / 2) : "");
        }
    }
}

TEST_F(SpoolingLogTest, GoesOnWithWhatAnEarlierRunHasLeft) {
    target->set(Target::Mode::away);
    for (int i = 1; i <= 20; ++i)
        ASSERT_TRUE(put(i));
    open(Target::Mode::away);
    EXPECT_EQ(log->spool().records, 20u);
    EXPECT_TRUE(log->spool().spooling);
    ASSERT_TRUE(put(21));
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    EXPECT_EQ(arrived().size(), 21u);
    EXPECT_EQ(arrived().back(), 21);
}

// All of it lies in one block: what is passed on is a part of that.
TEST_F(SpoolingLogTest, RemembersHowMuchOfABlockWasPassedOn) {
    options.drain_records = 3;
    open(Target::Mode::away);
    RecordBatch batch;
    for (int i = 1; i <= 10; ++i)
        batch.add("key", std::to_string(i));
    ASSERT_TRUE(append(*log, std::move(batch)));
    target->works_for(2);
    ASSERT_TRUE(eventually([&] { return log->spool().records == 4; }))
        << log->spool().records << " wait: " << log->spool().target_trouble;
    open();
    ASSERT_TRUE(drained());
    EXPECT_THAT(arrived(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(SpoolingLogTest, RepeatsWhatMayHaveArrived) {
    target->set(Target::Mode::written_but_timed_out);
    ASSERT_TRUE(put(1));
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    const std::vector<int> values = arrived();
    EXPECT_GE(values.size(), 2u);  // deduplication's affair
    EXPECT_EQ(std::set<int>(values.begin(), values.end()), std::set<int>{1});
}

TEST_F(SpoolingLogTest, RefusesPastItsLimit) {
    options.max_records = 5;
    open(Target::Mode::away);
    for (int i = 1; i <= 5; ++i)
        ASSERT_TRUE(put(i));
    const Status refused = put(6);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
    EXPECT_FALSE(log->producer().health().up);
    EXPECT_THAT(log->producer().health().reason, HasSubstr("spool is full"));
    target->set(Target::Mode::works);
    ASSERT_TRUE(drained());
    ASSERT_TRUE(put(6));
}

TEST_F(SpoolingLogTest, TellsWhatIsTooLargeAtOnce) {
    const Status refused = append(*log, batch_of({{"key", std::string(2'000'000, 'x')}}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::too_large);
    EXPECT_FALSE(log->spool().spooling);
}

TEST_F(SpoolingLogTest, ReportsEverythingWhenItIsClosed) {
    target->set(Target::Mode::away);
    std::atomic<int> told{0};
    for (int i = 0; i < 50; ++i)
        log->producer().append("events", batch_of({{"key", std::to_string(i)}}),
                               [&](const Status&) { ++told; });
    log->close();
    EXPECT_EQ(told, 50);
    open();
    ASSERT_TRUE(drained());
    EXPECT_EQ(arrived().size(), 50u);
}

}  // namespace
}  // namespace adtally::eventlog
