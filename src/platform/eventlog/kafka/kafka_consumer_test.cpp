// What keeps partitions from being read, and what does not: against the mock broker of librdkafka,
// which takes batches as they are, also those that a client of ours would not write.
#include "platform/eventlog/kafka/kafka_consumer.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <future>
#include <set>

#include "platform/eventlog/checksum.hpp"
#include "platform/eventlog/kafka/kafka_log.hpp"
#include "platform/eventlog/kafka/mock_broker.hpp"

namespace adtally::eventlog::kafka {
namespace {

using testing::HasSubstr;

constexpr Milliseconds patience{20'000};
// Keys of Kafka's protocol.
constexpr std::int16_t produce = 0;
constexpr std::int16_t join_group = 11;

// Writes the numbers of Kafka's protocol: the first byte is the highest.
class Bytes {
public:
    Bytes& number(std::uint64_t value, int size) {
        for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
            text.push_back(static_cast<char>(value >> shift));
        return *this;
    }
    Bytes& varint(int value) {
        text.push_back(static_cast<char>(value * 2));  // small ones only
        return *this;
    }
    Bytes& add(std::string_view bytes) {
        text.append(bytes);
        return *this;
    }
    std::string text;
};

enum class Kind { record, marker, damaged };

// A batch of one record: an ordinary one, the marker of a transaction that was committed, or one
// whose bytes are not those that were written.
std::string batch_of(Kind kind) {
    Bytes record;
    record.number(0, 1).varint(0).varint(0);
    if (kind == Kind::marker)
        record.varint(4).number(0, 2).number(1, 2).varint(6).number(0, 6);
    else
        record.varint(1).add("k").varint(3).add("raw");
    record.varint(0);
    Bytes body;
    body.number(kind == Kind::marker ? 0x30 : 0, 2).number(0, 4);
    body.number(1'700'000'000'000, 8).number(1'700'000'000'000, 8);
    body.number(~0ULL, 8).number(~0ULL, 2).number(~0ULL, 4).number(1, 4);
    body.varint(static_cast<int>(record.text.size())).add(record.text);
    const std::uint32_t sum = crc32c(body.text) + (kind == Kind::damaged ? 1 : 0);
    Bytes batch;
    batch.number(0, 8).number(body.text.size() + 9, 4).number(0, 4).number(2, 1);
    return batch.number(sum, 4).add(body.text).text;
}

// Takes any bytes for a batch.
class WritableBroker : public MockBroker {
public:
    // Appended as it is; the broker gives it its offset.
    void write(std::int32_t partition, Kind kind) const {
        const std::string batch = batch_of(kind);
        Bytes request;
        request.number(produce, 2).number(3, 2).number(1, 4).number(4, 2).add("test");
        request.number(~0ULL, 2).number(1, 2).number(1'000, 4);
        request.number(1, 4).number(6, 2).add("events").number(1, 4);
        request.number(static_cast<std::uint64_t>(partition), 4).number(batch.size(), 4).add(batch);
        Bytes framed;
        framed.number(request.text.size(), 4).add(request.text);
        const std::string where = address();
        const std::size_t colon = where.rfind(':');
        std::uint16_t port = 0;
        std::from_chars(where.data() + colon + 1, where.data() + where.size(), port);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        ASSERT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
        ASSERT_EQ(::send(socket, framed.text.data(), framed.text.size(), 0),
                  static_cast<ssize_t>(framed.text.size()));
        char answer[256];
        ASSERT_GT(::recv(socket, answer, sizeof answer, 0), 0);
        ::close(socket);
    }
};

class Listener final : public AssignmentListener {
public:
    void on_assigned(std::span<const Partition> given) override { mine += given.size(); }
    void on_revoked(std::span<const Partition> taken) override { mine -= taken.size(); }
    std::size_t mine = 0;
};

class KafkaConsumerTest : public testing::Test {
protected:
    void SetUp() override {
        LogOptions options;
        options.cluster.bootstrap = broker.address();
        options.topics = {{"events", partitions}};
        log = open_kafka_log(options);
    }
    void open() {
        ConsumerOptions options;
        options.cluster.bootstrap = broker.address();
        options.group = "readers";
        auto opened = KafkaConsumer::open(options, "events", listener);
        ASSERT_TRUE(opened) << opened.error().message;
        consumer = std::move(opened.value());
        const Deadline deadline = Deadline::after(patience);
        while (listener.mine < partitions && !deadline.passed())
            (void)consumer->poll(batch, 1, Deadline::after(Milliseconds{20}));
        ASSERT_EQ(listener.mine, static_cast<std::size_t>(partitions));
    }
    // By our own producer.
    void append(int count) const {
        RecordBatch records;
        for (int i = 0; i < count; ++i)
            records.add("one", std::to_string(i));
        std::promise<Status> told;
        log->producer().append("events", std::move(records),
                               [&](Status status) { told.set_value(std::move(status)); });
        ASSERT_TRUE(told.get_future().get());
    }
    // Offsets of what comes, until there are so many; any failure ends it.
    std::vector<std::int64_t> read(std::size_t count) {
        std::vector<std::int64_t> offsets;
        const Deadline deadline = Deadline::after(patience);
        while (offsets.size() < count && !deadline.passed()) {
            const Status polled = consumer->poll(batch, 100, Deadline::after(Milliseconds{50}));
            EXPECT_TRUE(polled) << polled.error().message;
            if (!polled)
                break;
            for (const FetchedRecord& record : batch.records)
                offsets.push_back(record.offset.value);
        }
        return offsets;
    }
    Error next_failure() {
        const Deadline deadline = Deadline::after(patience);
        Status polled = ok();
        while (polled && !deadline.passed())
            polled = consumer->poll(batch, 100, Deadline::after(Milliseconds{50}));
        EXPECT_FALSE(polled);
        return polled ? Error{} : polled.error();
    }

    const Partition one = partition_of("one", partitions);
    WritableBroker broker;
    std::unique_ptr<EventLog> log;
    Listener listener;
    std::unique_ptr<KafkaConsumer> consumer;
    FetchedBatch batch;
};

TEST_F(KafkaConsumerTest, EachPartitionThatIsOutOfRangeIsToldAndReadOnAfterASeek) {
    const std::set<std::int32_t> past{1, 2};
    for (const std::int32_t each : past)
        broker.write(each, Kind::record);
    open();
    for (const std::int32_t each : past)
        ASSERT_TRUE(consumer->seek(Partition{each}, Offset{1'000}));
    // While nothing may be read: what comes is kept.
    const Deadline deadline = Deadline::after(patience);
    while (!deadline.passed() && (consumer->known_end(Partition{*past.begin()}) == std::nullopt ||
                                  consumer->known_end(Partition{*past.rbegin()}) == std::nullopt))
        ASSERT_TRUE(consumer->poll(batch, 0, Deadline::after(Milliseconds{0})));
    for (int i = 0; i < 1'000; ++i)
        ASSERT_TRUE(consumer->poll(batch, 0, Deadline::after(Milliseconds{0})));
    std::set<std::int32_t> told;
    while (told.size() < 2 && !deadline.passed()) {
        if (const Status polled = consumer->poll(batch, 9, Deadline::after(Milliseconds{50}));
            !polled) {
            EXPECT_EQ(polled.error().code, ErrorCode::not_found);
            told.insert(batch.partition.value);
        }
    }
    EXPECT_EQ(told, past);
    for (const std::int32_t each : past)
        ASSERT_TRUE(consumer->seek(Partition{each}, Offset{0}));
    EXPECT_EQ(read(2), (std::vector<std::int64_t>{0, 0}));
}

TEST_F(KafkaConsumerTest, WhatIsToldOnceIsKeptUntilItCanBeTold) {
    open();
    consumer->on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down");
    ASSERT_TRUE(consumer->poll(batch, 0, Deadline::after(Milliseconds{0})));
    const Status told = consumer->poll(batch, 1, Deadline::after(Milliseconds{0}));
    ASSERT_FALSE(told);
    EXPECT_THAT(told.error().message, HasSubstr("brokers are down"));
    EXPECT_TRUE(consumer->poll(batch, 1, Deadline::after(Milliseconds{0})));
}

TEST_F(KafkaConsumerTest, MarkersOfTransactionsArePassedOver) {
    append(3);
    broker.write(one.value, Kind::marker);
    append(2);
    broker.write(one.value, Kind::marker);
    open();
    ASSERT_TRUE(consumer->seek(one, Offset{0}));
    EXPECT_EQ(read(5), (std::vector<std::int64_t>{0, 1, 2, 4, 5}));
    append(1);
    EXPECT_EQ(read(1), std::vector<std::int64_t>{7});
}

TEST_F(KafkaConsumerTest, AStretchOfMarkersIsReadAsNothing) {
    append(3);
    broker.write(one.value, Kind::marker);
    append(2);
    broker.write(one.value, Kind::marker);
    const auto reader = std::move(log->reader("events").value());
    ASSERT_EQ(reader->watermarks(one).value().end, Offset{7});
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(reader->read(one, Offset{3}, Offset{4}, batch));
        EXPECT_TRUE(batch.records.empty());
        const Deadline soon = Deadline::after(Milliseconds{3'000});
        ASSERT_TRUE(reader->read(one, Offset{6}, Offset{7}, batch));
        EXPECT_TRUE(batch.records.empty());
        EXPECT_FALSE(soon.passed()) << "the end was not seen";
    }
    std::vector<std::int64_t> offsets;
    for (Offset at{2}; at < Offset{7};) {
        ASSERT_TRUE(reader->read(one, at, Offset{7}, batch));
        if (batch.records.empty())
            break;
        for (const FetchedRecord& record : batch.records)
            offsets.push_back(record.offset.value);
        at = Offset{offsets.back() + 1};
    }
    EXPECT_EQ(offsets, (std::vector<std::int64_t>{2, 4, 5}));
}

TEST_F(KafkaConsumerTest, ADamagedBatchHoldsItsPartitionUpAndNoOther) {
    const Partition other{(one.value + 1) % partitions};
    append(2);
    broker.write(one.value, Kind::damaged);
    append(2);
    open();
    ASSERT_TRUE(consumer->seek(one, Offset{0}));
    ASSERT_TRUE(consumer->seek(other, Offset{0}));
    // What is damaged may be told before what stands in front of it was taken.
    std::vector<std::int64_t> in_front;
    const Deadline soon = Deadline::after(patience);
    while (in_front.size() < 2 && !soon.passed())
        if (consumer->poll(batch, 100, Deadline::after(Milliseconds{50})))
            for (const FetchedRecord& record : batch.records)
                in_front.push_back(record.offset.value);
    EXPECT_EQ(in_front, (std::vector<std::int64_t>{0, 1}));
    for (int times = 0; times < 3; ++times) {
        EXPECT_EQ(next_failure().code, ErrorCode::corrupt);
        EXPECT_EQ(batch.partition, one);
    }
    broker.write(other.value, Kind::record);
    const Deadline deadline = Deadline::after(patience);
    Status polled = ok();
    do
        polled = consumer->poll(batch, 100, Deadline::after(Milliseconds{50}));
    while ((!polled || batch.records.empty()) && !deadline.passed());
    EXPECT_EQ(batch.partition, other);
    ASSERT_TRUE(consumer->seek(one, Offset{3}));
    EXPECT_EQ(read(2), (std::vector<std::int64_t>{3, 4}));
    EXPECT_TRUE(consumer->read(one, Offset{0}, Offset{5}, batch));
    EXPECT_EQ(batch.records.size(), 2u) << "what stands behind the damage is not taken for next";
    EXPECT_EQ(consumer->read(one, Offset{2}, Offset{5}, batch).error().code, ErrorCode::corrupt);
}

TEST_F(KafkaConsumerTest, AReaderWhoseRightsWereTakenEnds) {
    open();
    consumer->on_error(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "events: not authorized");
    EXPECT_TRUE(consumer->ended());
    EXPECT_EQ(listener.mine, 0u);
    EXPECT_THAT(next_failure().message, HasSubstr("the user needs rights"));
    EXPECT_THAT(next_failure().message, HasSubstr("not authorized"));
}

TEST_F(KafkaConsumerTest, AReaderThatMayNotJoinItsGroupEnds) {
    for (int i = 0; i < 10; ++i)
        rd_kafka_mock_push_request_errors(broker.get(), join_group, 1,
                                          RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    ConsumerOptions options;
    options.cluster.bootstrap = broker.address();
    options.group = "readers";
    consumer = std::move(KafkaConsumer::open(options, "events", listener).value());
    EXPECT_THAT(next_failure().message, HasSubstr("the user needs rights"));
    EXPECT_TRUE(consumer->ended());
}

// The second comes before the first was read: what is fetched still lies behind it.
TEST_F(KafkaConsumerTest, SeeksThatFollowEachOtherAreNoHoles) {
    append(200);
    open();
    ASSERT_TRUE(consumer->seek(one, Offset{150}));
    EXPECT_EQ(read(50).size(), 50u);
    for (const std::int64_t start : {100, 50, 0}) {
        ASSERT_TRUE(consumer->seek(one, Offset{start + 20}));
        ASSERT_TRUE(consumer->poll(batch, 1, Deadline::after(Milliseconds{0})));
        ASSERT_TRUE(consumer->seek(one, Offset{start}));
        const std::vector<std::int64_t> offsets = read(100);
        ASSERT_FALSE(offsets.empty());
        EXPECT_EQ(offsets.front(), start);
    }
}

TEST_F(KafkaConsumerTest, AClusterThatAnswersSlowlyIsHeard) {
    rd_kafka_mock_broker_set_rtt(broker.get(), 1, 450);
    LogOptions options;
    options.cluster.bootstrap = broker.address();
    options.topics = {{"events", partitions}};
    const auto far = open_kafka_log(options);
    const auto info = far->topic("events");
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info.value().partitions, partitions);
}

}  // namespace
}  // namespace adtally::eventlog::kafka
