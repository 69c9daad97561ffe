// Reading: waiting, turns, positions, times.
#include "platform/eventlog/rocksdb_consumer.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

using testing::HasSubstr;

class RocksDbConsumerTest : public LogFixture {};

TEST_F(RocksDbConsumerTest, IsAssignedEveryPartitionByTheFirstPoll) {
    open();
    Follower reader{*log};
    FetchedBatch batch;
    EXPECT_TRUE(reader.consumer->poll(batch, 10, Deadline::after(Milliseconds{0})));
    EXPECT_TRUE(reader.consumer->poll(batch, 10, Deadline::after(Milliseconds{0})));
    EXPECT_EQ(reader.listener.assigned.size(), 4u);
    EXPECT_TRUE(batch.records.empty());
}

TEST_F(RocksDbConsumerTest, IsWokenByAnAppend) {
    open();
    Follower reader{*log};
    std::thread producer([&] { EXPECT_TRUE(append(*log, batch_of({{"k", "v"}}))); });
    FetchedBatch batch;
    EXPECT_TRUE(reader.consumer->poll(batch, 10, soon()));
    producer.join();
    ASSERT_EQ(batch.records.size(), 1u);
    EXPECT_EQ(batch.records[0].value, "v");
}

TEST_F(RocksDbConsumerTest, LetsPartitionsTakeTurns) {
    open();
    RecordBatch batch;
    for (int i = 0; i < 400; ++i)
        batch.add(std::to_string(i), "v");
    ASSERT_TRUE(append(*log, std::move(batch)));
    Follower reader{*log};
    FetchedBatch fetched;
    std::vector<std::int32_t> turns;
    for (int i = 0; i < 8; ++i) {
        ASSERT_TRUE(reader.consumer->poll(fetched, 10, soon()));
        EXPECT_EQ(fetched.records.size(), 10u);
        turns.push_back(fetched.partition.value);
    }
    EXPECT_EQ(turns, (std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 2, 3}));
}

class SeeksNothing final : public AssignmentListener {
    void on_assigned(std::span<const Partition>) override {}
    void on_revoked(std::span<const Partition>) override {}
};

TEST_F(RocksDbConsumerTest, LeavesAPartitionAloneThatWasNotSought) {
    open();
    ASSERT_TRUE(append(*log, batch_of({{"21", "v"}})));
    SeeksNothing listener;
    const auto consumer = std::move(log->consumer("events", listener).value());
    FetchedBatch batch;
    EXPECT_TRUE(consumer->poll(batch, 10, Deadline::after(Milliseconds{1})));
    EXPECT_TRUE(batch.records.empty());
    ASSERT_TRUE(consumer->seek(partition_of("21", 4), Offset{0}));
    EXPECT_TRUE(consumer->poll(batch, 10, soon()));
    EXPECT_EQ(batch.records.size(), 1u);
}

// From memory, from the disk, and in portions that do not fit the blocks.
TEST_F(RocksDbConsumerTest, ReadsTheSameFromMemoryAndFromTheDisk) {
    open();
    int next = 0;
    for (int round = 0; round < 30; ++round) {
        RecordBatch batch;
        for (int i = 0; i < 1 + round * 7 % 40; ++i, ++next)
            batch.add(std::to_string(next % 11), "value " + std::to_string(next));
        ASSERT_TRUE(append(*log, std::move(batch)));
    }
    const auto from_memory = values_of(read_all(*log, 1000));
    EXPECT_EQ(values_of(read_all(*log, 3)), from_memory);
    options.tail_cache_bytes = 0;
    reopen();
    EXPECT_EQ(values_of(read_all(*log, 1000)), from_memory);
    EXPECT_EQ(values_of(read_all(*log, 3)), from_memory);
    EXPECT_EQ(from_memory.size(), static_cast<std::size_t>(next));
}

TEST_F(RocksDbConsumerTest, SeeksAnyPositionInsideOfABlock) {
    options.topics = {{"events", 1}};
    open();
    RecordBatch records;
    for (int i = 0; i < 20; ++i)
        records.add("k", std::to_string(i));
    ASSERT_TRUE(append(*log, std::move(records)));
    for (const bool from_disk : {false, true}) {
        if (from_disk)
            reopen();
        Follower reader{*log};
        FetchedBatch batch;
        ASSERT_TRUE(reader.consumer->poll(batch, 1, soon()));
        for (const int offset : {13, 0, 19, 7}) {
            ASSERT_TRUE(reader.consumer->seek(Partition{0}, Offset{offset}));
            ASSERT_TRUE(reader.consumer->poll(batch, 100, soon()));
            ASSERT_EQ(batch.records.size(), static_cast<std::size_t>(20 - offset));
            EXPECT_EQ(batch.records.front().offset, Offset{offset});
            EXPECT_EQ(batch.records.front().value, std::to_string(offset));
        }
    }
}

TEST_F(RocksDbConsumerTest, RefusesAPositionPastTheEnd) {
    options.topics = {{"events", 1}};
    open();
    ASSERT_TRUE(append(*log, batch_of({{"k", "v"}})));
    Follower reader{*log};
    FetchedBatch batch;
    EXPECT_TRUE(reader.consumer->seek(Partition{0}, Offset{1}));
    const auto past = reader.consumer->seek(Partition{0}, Offset{2});
    ASSERT_FALSE(past);
    EXPECT_EQ(past.error().code, ErrorCode::conflict);
    EXPECT_THAT(past.error().message, HasSubstr("events/0 ends at 1"));
    EXPECT_EQ(reader.consumer->read(Partition{0}, Offset{0}, Offset{2}, batch).error().code,
              ErrorCode::conflict);
    EXPECT_EQ(reader.consumer->seek(Partition{1}, Offset{0}).error().code, ErrorCode::not_found);
}

TEST_F(RocksDbConsumerTest, ReadsARangeWithoutMovingItsPosition) {
    options.topics = {{"events", 1}};
    open();
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(append(
            *log, batch_of({{"k", std::to_string(2 * i)}, {"k", std::to_string(2 * i + 1)}})));
    for (const bool from_disk : {false, true}) {
        if (from_disk)
            reopen();
        Follower reader{*log};
        FetchedBatch batch;
        std::int64_t at = 3;
        while (at < 18) {
            ASSERT_TRUE(reader.consumer->read(Partition{0}, Offset{at}, Offset{18}, batch));
            ASSERT_FALSE(batch.records.empty());
            for (const FetchedRecord& record : batch.records) {
                EXPECT_EQ(record.offset, Offset{at});
                EXPECT_EQ(record.value, std::to_string(at++));
            }
        }
        EXPECT_EQ(at, 18);
        ASSERT_TRUE(reader.consumer->read(Partition{0}, Offset{5}, Offset{5}, batch));
        EXPECT_TRUE(batch.records.empty());
        ASSERT_TRUE(reader.consumer->poll(batch, 1, soon()));
        EXPECT_EQ(batch.records.at(0).offset, Offset{0});
    }
}

TEST_F(RocksDbConsumerTest, ReadsHeadersWhereTheyAreWanted) {
    options.topics = {{"events", 1}};
    open();
    // Committed together or not, whichever happens: appends of one, two and three records.
    std::vector<std::string> expected;
    for (int i = 0; i < 12; ++i) {
        RecordBatch batch;
        for (int k = 0; k <= i % 3; ++k) {
            batch.add("k", std::to_string(expected.size()));
            expected.push_back(i % 4 == 0 ? "" : std::to_string(i));
        }
        if (i % 4 != 0)
            batch.add_header("append", std::to_string(i));
        ASSERT_TRUE(append(*log, std::move(batch)));
    }
    const auto size = static_cast<std::int64_t>(expected.size());
    for (const bool from_disk : {false, true}) {
        if (from_disk)
            reopen();
        const auto reader = std::move(log->reader("events").value());
        FetchedBatch batch;
        ASSERT_TRUE(reader->read(Partition{0}, Offset{0}, Offset{size}, batch));
        EXPECT_TRUE(batch.header_runs.empty());
        batch.wants_headers = true;
        for (std::int64_t from = 0; from < size; ++from) {
            for (std::int64_t at = from; at < size;) {
                ASSERT_TRUE(reader->read(Partition{0}, Offset{at}, Offset{size}, batch));
                for (std::size_t k = 0; k < batch.records.size(); ++k, ++at) {
                    const auto headers = batch.headers_of(k);
                    const std::string& wanted = expected[static_cast<std::size_t>(at)];
                    ASSERT_EQ(headers.size(), wanted.empty() ? 0u : 1u) << from << " " << at;
                    ASSERT_EQ(headers.empty() ? "" : headers[0].value, wanted);
                }
            }
        }
    }
}

TEST_F(RocksDbConsumerTest, FindsTheFirstOffsetOfATime) {
    options.topics = {{"events", 1}};
    open();
    const std::int64_t start = clock.wall().value;
    for (int i = 0; i < 40; ++i) {
        clock.set_wall(TimestampMs{start + 10 * i});
        ASSERT_TRUE(append(*log, batch_of({{"k", "a"}, {"k", "b"}, {"k", "c"}})));
    }
    Follower reader{*log};
    const auto at = [&](std::int64_t time) {
        return reader.consumer->offset_at(Partition{0}, TimestampMs{start + time}).value().value;
    };
    EXPECT_EQ(at(-1000), 0);
    EXPECT_EQ(at(0), 0);
    for (int i = 1; i < 40; ++i) {
        EXPECT_EQ(at(10 * i), 3 * i);
        EXPECT_EQ(at(10 * i - 9), 3 * i);
    }
    EXPECT_EQ(at(391), 120);
    EXPECT_EQ(at(1'000'000), 120);
}

// The batch alone keeps what it shows, with readable bytes behind each value.
TEST_F(RocksDbConsumerTest, KeepsABatchReadableWhenTheLogMovesOn) {
    options.topics = {{"events", 1}};
    options.tail_cache_bytes = 4096;
    open();
    ASSERT_TRUE(append(*log, batch_of({{"k", "first"}, {"k", "second"}})));
    Follower reader{*log};
    FetchedBatch batch;
    ASSERT_TRUE(reader.consumer->poll(batch, 10, soon()));
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(append(*log, batch_of({{"k", std::string(2000, 'x')}})));
    ASSERT_EQ(batch.records.size(), 2u);
    EXPECT_EQ(batch.records[0].value, "first");
    EXPECT_EQ(batch.records[1].value, "second");
    unsigned sum = 0;
    for (std::size_t i = 0; i < value_padding; ++i)
        sum += static_cast<unsigned char>(batch.records[1].value.data()[6 + i]);
    EXPECT_EQ(sum, 0u);
}

}  // namespace
}  // namespace adtally::eventlog
