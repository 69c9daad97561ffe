// Against the mock broker of librdkafka: one process, real protocol, injected errors.
#include "platform/eventlog/kafka/kafka_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>

#include "platform/eventlog/kafka/kafka_producer.hpp"
#include "platform/eventlog/kafka/mock_broker.hpp"

namespace adtally::eventlog::kafka {
namespace {

using testing::HasSubstr;

// Seeks everything to its begin; remembers what it has.
class FromBegin final : public AssignmentListener {
public:
    void on_assigned(std::span<const Partition> given) override {
        for (const Partition partition : given) {
            mine.insert(partition.value);
            ASSERT_TRUE(consumer->seek(partition, Offset{0}));
        }
    }
    void on_revoked(std::span<const Partition> taken) override {
        for (const Partition partition : taken)
            mine.erase(partition.value);
    }
    Consumer* consumer = nullptr;
    std::set<std::int32_t> mine;
};

RecordBatch batch_of(int first, int count) {
    RecordBatch batch;
    for (int i = first; i < first + count; ++i)
        batch.add("key" + std::to_string(i % 50), "value" + std::to_string(i));
    return batch;
}

class KafkaLogTest : public testing::Test {
protected:
    LogOptions options() const {
        LogOptions made;
        made.cluster.bootstrap = broker.address();
        made.topics = {{"events", partitions}};
        made.append_deadline = Milliseconds{3'000};
        return made;
    }
    static Status append(EventLog& log, RecordBatch batch) {
        std::promise<Status> told;
        log.producer().append("events", std::move(batch),
                              [&](Status status) { told.set_value(std::move(status)); });
        return told.get_future().get();
    }
    // Offsets and values by partition, until there are `count`.
    static std::map<std::int32_t, std::vector<std::string>> read(Consumer& consumer,
                                                                 std::size_t count) {
        std::map<std::int32_t, std::vector<std::string>> found;
        FetchedBatch batch;
        const Deadline deadline = Deadline::after(Milliseconds{20'000});
        for (std::size_t seen = 0; seen < count && !deadline.passed();) {
            const Status polled = consumer.poll(batch, 100, Deadline::after(Milliseconds{100}));
            EXPECT_TRUE(polled) << polled.error().message;
            for (const FetchedRecord& record : batch.records) {
                auto& values = found[batch.partition.value];
                EXPECT_EQ(record.offset, Offset{static_cast<std::int64_t>(values.size())});
                EXPECT_EQ(partition_of(record.key, partitions), batch.partition);
                values.emplace_back(record.value);
                ++seen;
            }
        }
        return found;
    }

    MockBroker broker;
};

TEST_F(KafkaLogTest, ReadsBackWhatWasAcknowledgedInOrder) {
    const auto log = open_kafka_log(options());
    ASSERT_TRUE(append(*log, batch_of(0, 1000)));
    FromBegin listener;
    const auto consumer = std::move(log->consumer("events", listener).value());
    listener.consumer = consumer.get();
    std::multiset<std::string> values;
    for (const auto& [partition, found] : read(*consumer, 1000))
        values.insert(found.begin(), found.end());
    EXPECT_EQ(values.size(), 1000u);
    EXPECT_EQ(std::set<std::string>(values.begin(), values.end()).size(), 1000u);
    EXPECT_EQ(listener.mine.size(), 4u);
}

TEST_F(KafkaLogTest, SendsHeadersWithEachRecord) {
    const auto log = open_kafka_log(options());
    RecordBatch batch = batch_of(0, 3);
    batch.add_header("traceparent", "00-1");
    ASSERT_TRUE(append(*log, std::move(batch)));
    ASSERT_TRUE(append(*log, batch_of(3, 3)));
    const auto reader = std::move(log->reader("events").value());
    FetchedBatch fetched;
    fetched.wants_headers = true;
    std::map<std::string, std::string> traces;
    for (std::int32_t i = 0; i < partitions; ++i) {
        const Watermarks ends = reader->watermarks(Partition{i}).value();
        for (Offset at = ends.begin; at < ends.end; at = Offset{at.value + 1}) {
            ASSERT_TRUE(reader->read(Partition{i}, at, Offset{at.value + 1}, fetched));
            const auto headers = fetched.headers_of(0);
            traces[std::string(fetched.records.at(0).value)] =
                headers.empty() ? "none" : headers[0].name + "=" + headers[0].value;
        }
    }
    EXPECT_EQ(traces.size(), 6u);
    for (const auto& [value, trace] : traces)
        EXPECT_EQ(trace, value < "value3" ? "traceparent=00-1" : "none") << value;
}

TEST_F(KafkaLogTest, SaysWhatTheClusterSaysOfATopic) {
    const auto log = open_kafka_log(options());
    ASSERT_TRUE(append(*log, batch_of(0, 100)));
    const auto info = log->topic("events");
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info.value().partitions, partitions);
    EXPECT_FALSE(info.value().log_id.empty());
    std::int64_t records = 0;
    const auto watermarks = log->watermarks("events").value();
    for (const Watermarks& each : watermarks)
        records += each.end.value - each.begin.value;
    EXPECT_EQ(records, 100);
    EXPECT_EQ(log->topic("unheard-of").error().code, ErrorCode::not_found);
}

TEST_F(KafkaLogTest, ReadsAStretchOutsideOfThePollingOrder) {
    const auto log = open_kafka_log(options());
    RecordBatch batch;
    for (int i = 0; i < 500; ++i)
        batch.add("one", std::to_string(i));
    ASSERT_TRUE(append(*log, std::move(batch)));
    const Partition partition = partition_of("one", partitions);
    FromBegin listener;
    const auto consumer = std::move(log->consumer("events", listener).value());
    FetchedBatch fetched;
    std::int64_t at = 100;
    while (at < 400) {
        const Status done = consumer->read(partition, Offset{at}, Offset{400}, fetched);
        ASSERT_TRUE(done) << done.error().message;
        ASSERT_FALSE(fetched.records.empty());
        for (const FetchedRecord& record : fetched.records)
            ASSERT_EQ(record.value, std::to_string(at++));
    }
    EXPECT_EQ(at, 400);
    // Back and forth, as the window is restored: one record, then all from the beginning.
    for (const std::int64_t start : {490, 0, 499, 250, 0}) {
        for (at = start; at < 500;) {
            ASSERT_TRUE(consumer->read(partition, Offset{at}, Offset{500}, fetched));
            for (const FetchedRecord& record : fetched.records)
                ASSERT_EQ(record.offset, Offset{at++}) << "from " << start;
            ASSERT_TRUE(consumer->read(partition, Offset{7}, Offset{8}, fetched));
            ASSERT_EQ(fetched.records.size(), 1u);
            ASSERT_EQ(fetched.records.front().offset, Offset{7});
        }
    }
    EXPECT_EQ(consumer->read(partition, Offset{0}, Offset{501}, fetched).error().code,
              ErrorCode::conflict);
}

TEST_F(KafkaLogTest, SeekingAgainRepeatsFromThere) {
    const auto log = open_kafka_log(options());
    RecordBatch batch;
    for (int i = 0; i < 100; ++i)
        batch.add("one", std::to_string(i));
    ASSERT_TRUE(append(*log, std::move(batch)));
    FromBegin listener;
    const auto consumer = std::move(log->consumer("events", listener).value());
    listener.consumer = consumer.get();
    read(*consumer, 100);
    const Partition partition = partition_of("one", partitions);
    FetchedBatch fetched;
    const Deadline deadline = Deadline::after(Milliseconds{20'000});
    ASSERT_TRUE(consumer->seek(partition, Offset{101}));
    Status past = ok();
    while (past && !deadline.passed())
        past = consumer->poll(fetched, 7, Deadline::after(Milliseconds{100}));
    ASSERT_FALSE(past);
    EXPECT_EQ(past.error().code, ErrorCode::not_found) << past.error().message;
    EXPECT_EQ(fetched.partition, partition);
    EXPECT_EQ(consumer->known_end(partition), std::optional{Offset{100}});
    ASSERT_TRUE(consumer->seek(partition, Offset{60}));
    std::int64_t expected = 60;
    while (expected < 100 && !deadline.passed()) {
        ASSERT_TRUE(consumer->poll(fetched, 7, Deadline::after(Milliseconds{100})));
        for (const FetchedRecord& record : fetched.records)
            ASSERT_EQ(record.offset, Offset{expected++});
    }
    EXPECT_EQ(expected, 100);
}

TEST_F(KafkaLogTest, TwoReadersShareThePartitions) {
    const auto log = open_kafka_log(options());
    FromBegin first;
    FromBegin second;
    const auto one = std::move(log->consumer("events", first).value());
    first.consumer = one.get();
    const auto two = std::move(log->consumer("events", second).value());
    second.consumer = two.get();
    FetchedBatch batch;
    const Deadline deadline = Deadline::after(Milliseconds{30'000});
    while ((first.mine.size() != 2 || second.mine.size() != 2) && !deadline.passed()) {
        ASSERT_TRUE(one->poll(batch, 100, Deadline::after(Milliseconds{20})));
        ASSERT_TRUE(two->poll(batch, 100, Deadline::after(Milliseconds{20})));
    }
    std::set<std::int32_t> all = first.mine;
    all.insert(second.mine.begin(), second.mine.end());
    EXPECT_EQ(all.size(), 4u);
}

TEST_F(KafkaLogTest, AReaderWhoseNameWasTakenEndsAndAnotherTakesItsPlace) {
    LogOptions named = options();
    named.instance = "one";
    const auto log = open_kafka_log(named);
    ASSERT_TRUE(append(*log, batch_of(0, 100)));
    FromBegin listener;
    auto consumer = std::move(log->consumer("events", listener).value());
    listener.consumer = consumer.get();
    read(*consumer, 100);
    EXPECT_FALSE(consumer->ended());
    constexpr std::int16_t heartbeat = 12;  // its key in Kafka's protocol
    rd_kafka_mock_push_request_errors(broker.get(), heartbeat, 1,
                                      RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
    FetchedBatch fetched;
    const Deadline deadline = Deadline::after(Milliseconds{20'000});
    while (!consumer->ended() && !deadline.passed())
        (void)consumer->poll(fetched, 100, Deadline::after(Milliseconds{100}));
    ASSERT_TRUE(consumer->ended());
    EXPECT_TRUE(listener.mine.empty());
    const Status poll = consumer->poll(fetched, 100, Deadline::after(Milliseconds{0}));
    ASSERT_FALSE(poll);
    EXPECT_THAT(poll.error().message, HasSubstr("kafka.instance"));
    consumer.reset();
    consumer = std::move(log->consumer("events", listener).value());
    listener.consumer = consumer.get();
    std::size_t values = 0;
    for (const auto& [partition, found] : read(*consumer, 100))
        values += found.size();
    EXPECT_EQ(values, 100u);
}

TEST_F(KafkaLogTest, ABrokerThatIsAwayIsReportedByTheDeadline) {
    auto made = options();
    made.append_deadline = Milliseconds{500};
    const auto log = open_kafka_log(made);
    ASSERT_TRUE(append(*log, batch_of(0, 1)));
    EXPECT_TRUE(log->producer().health().up);
    rd_kafka_mock_broker_set_down(broker.get(), 1);
    const Status refused = append(*log, batch_of(1, 10));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::timed_out);
    EXPECT_FALSE(log->producer().health().up);
    EXPECT_THAT(log->producer().health().reason, HasSubstr("Kafka"));
    rd_kafka_mock_broker_set_up(broker.get(), 1);
    const Deadline deadline = Deadline::after(Milliseconds{20'000});
    while (!append(*log, batch_of(1, 10)) && !deadline.passed()) {
    }
    EXPECT_TRUE(log->producer().health().up);
    EXPECT_EQ(log->producer().health().appends_in_flight, 0u);
}

TEST_F(KafkaLogTest, SurvivesAFatalErrorOfTheIdempotentProducer) {
    KafkaProducer producer({.cluster = options().cluster, .deadline = Milliseconds{3'000}});
    const auto append = [&](int first) {
        std::promise<Status> told;
        producer.append("events", batch_of(first, 10),
                        [&](Status status) { told.set_value(std::move(status)); });
        return told.get_future().get();
    };
    ASSERT_TRUE(append(0));
    rd_kafka_mock_push_request_errors(broker.get(), 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    const Status failed = append(10);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::timed_out) << failed.error().message;
    const Deadline deadline = Deadline::after(Milliseconds{20'000});
    Status again = append(20);
    while (!again && !deadline.passed())
        again = append(20);
    EXPECT_TRUE(again) << again.error().message;
    EXPECT_EQ(producer.rebuilds(), 1u);
}

TEST_F(KafkaLogTest, RefusesWhatIsTooLargeAndWritesNoneOfIt) {
    auto made = options();
    made.max_record_bytes = 1000;
    const auto log = open_kafka_log(made);
    RecordBatch batch = batch_of(0, 3);
    batch.add("key", std::string(1000, 'x'));
    const Status refused = append(*log, std::move(batch));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::too_large);
    const auto watermarks = log->watermarks("events").value();
    for (const Watermarks& each : watermarks)
        EXPECT_EQ(each.end, Offset{0});
}

// This broker does not tell its limits.
TEST_F(KafkaLogTest, FindsTheLimitOfABrokerThatDoesNotTellIt) {
    auto made = options();
    made.question_timeout = Milliseconds{500};
    const auto log = open_kafka_log(made);
    ASSERT_TRUE(append(*log, batch_of(0, 10)));
    const std::size_t before = log->producer().max_record_bytes();
    rd_kafka_mock_push_request_errors(broker.get(), 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    RecordBatch one;
    one.add("key", "value");
    const Status refused = append(*log, std::move(one));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable) << refused.error().message;
    const Deadline deadline = Deadline::after(Milliseconds{20'000});
    Status again = append(*log, batch_of(10, 10));
    while ((!again || log->producer().max_record_bytes() == before) && !deadline.passed())
        again = append(*log, batch_of(10, 10));
    EXPECT_TRUE(again) << again.error().message;
    EXPECT_LT(log->producer().max_record_bytes(), before);
    EXPECT_GT(log->producer().max_record_bytes(), before / 4);
}

TEST_F(KafkaLogTest, ReportsEverythingWhenItIsClosed) {
    auto made = options();
    made.append_deadline = Milliseconds{500};
    const auto log = open_kafka_log(made);
    rd_kafka_mock_broker_set_down(broker.get(), 1);
    std::atomic<int> told{0};
    for (int i = 0; i < 20; ++i)
        log->producer().append("events", batch_of(i, 5), [&](const Status&) { ++told; });
    log->close();
    EXPECT_EQ(told, 20);
    EXPECT_EQ(append(*log, batch_of(0, 1)).error().code, ErrorCode::unavailable);
}

TEST(KafkaSettings, ThatLibrdkafkaDoesNotTakeAreNamed) {
    LogOptions options;
    options.cluster.bootstrap = "127.0.0.1:1";
    options.cluster.properties = {{"security.protocl", "ssl"}};
    try {
        open_kafka_log(options);
        FAIL() << "the settings were taken";
    } catch (const std::runtime_error& refused) {
        EXPECT_THAT(refused.what(), HasSubstr("security.protocl"));
    }
}

}  // namespace
}  // namespace adtally::eventlog::kafka
