// Appending, grouping, opening again, limits, retention.
#include "platform/eventlog/rocksdb_log.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class RocksDbLogTest : public LogFixture {};

TEST_F(RocksDbLogTest, GivesBackWhatWasAppended) {
    open();
    ASSERT_TRUE(append(*log, batch_of({{"1", "a"}, {"2", "b"}, {"1", "c"}, {"", ""}})));
    const auto kept = read_all(*log);
    EXPECT_THAT(values_of(kept), UnorderedElementsAre("a", "b", "c", ""));
}

TEST_F(RocksDbLogTest, KeepsTheOrderOfAKeyInThePartitionThatKafkaWouldTake) {
    open();
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(append(*log, batch_of({{"21", std::to_string(2 * i)},
                                           {"foobar", "x"},
                                           {"21", std::to_string(2 * i + 1)}})));
    const auto kept = read_all(*log, 7);
    std::vector<int> seen;
    for (const Kept& each : kept.at(partition_of("21", 4).value)) {
        if (each.key == "21")
            seen.push_back(std::stoi(each.value));
    }
    ASSERT_EQ(seen.size(), 40u);
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST_F(RocksDbLogTest, AnswersEveryAppendOfManyThreadsOnceAndLeavesNoGap) {
    open();
    constexpr int threads = 6;
    constexpr int appends = 300;
    Answers answers;
    std::vector<std::thread> producers;
    for (int t = 0; t < threads; ++t) {
        producers.emplace_back([&, t] {
            for (int i = 0; i < appends; ++i) {
                const std::string id = std::to_string(t) + "-" + std::to_string(i);
                RecordBatch batch;
                batch.add(std::to_string(i % 50), id);
                batch.add(std::to_string(i % 7), id + "b");
                log->producer().append("events", std::move(batch), answers.expect(id));
            }
        });
    }
    for (auto& producer : producers)
        producer.join();
    ASSERT_TRUE(answers.wait_for(threads * appends));
    std::set<std::string> answered;
    for (const auto& [id, status] : answers.all()) {
        EXPECT_TRUE(status) << status.error().message;
        EXPECT_TRUE(answered.insert(id).second) << id << " was answered twice";
    }
    const auto values = values_of(read_all(*log));
    EXPECT_EQ(values.size(), 2u * threads * appends);
    for (const std::string& id : answered)
        EXPECT_EQ(values.count(id) + values.count(id + "b"), 2u) << id;
    EXPECT_TRUE(eventually([&] { return log->producer().health().appends_in_flight == 0; }));
    EXPECT_EQ(log->producer().health().bytes_in_flight, 0u);
}

TEST_F(RocksDbLogTest, AnswersTheAppendsOfAThreadInTheirOrder) {
    open();
    Answers answers;
    for (int i = 0; i < 200; ++i)
        log->producer().append("events", batch_of({{"k", "v"}}), answers.expect(std::to_string(i)));
    ASSERT_TRUE(answers.wait_for(200));
    int next = 0;
    for (const auto& [id, status] : answers.all())
        EXPECT_EQ(id, std::to_string(next++));
}

TEST_F(RocksDbLogTest, MayBeAppendedToFromACompletion) {
    open();
    Answers answers;
    log->producer().append("events", batch_of({{"k", "1"}}), [&](Status first) {
        EXPECT_TRUE(first);
        log->producer().append("events", batch_of({{"k", "2"}}), answers.expect("second"));
    });
    ASSERT_TRUE(answers.wait_for(1));
    EXPECT_EQ(values_of(read_all(*log)).size(), 2u);
}

TEST_F(RocksDbLogTest, HasEverythingWhenItIsOpenedAgain) {
    open();
    const std::string log_id = log->topic("events").value().log_id;
    EXPECT_EQ(log_id.size(), 36u);
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(append(*log, batch_of({{"1", std::to_string(round)}, {"2", "x"}})));
        reopen();
    }
    EXPECT_EQ(log->topic("events").value().log_id, log_id);
    EXPECT_THAT(values_of(read_all(*log)), UnorderedElementsAre("0", "1", "2", "x", "x", "x"));
}

TEST_F(RocksDbLogTest, KeepsTopicsApartAlsoWhenOneIsAddedLater) {
    open();
    ASSERT_TRUE(append(*log, batch_of({{"1", "event"}})));
    log.reset();
    options.topics = {{"letters", 1}, {"events", 4}};
    open();
    ASSERT_TRUE(append(*log, batch_of({{"1", "letter"}}), "letters"));
    EXPECT_NE(log->topic("letters").value().log_id, log->topic("events").value().log_id);
    EXPECT_THAT(values_of(read_all(*log)), UnorderedElementsAre("event"));
    EXPECT_EQ(log->watermarks("letters").value().at(0).end, Offset{1});
}

TEST_F(RocksDbLogTest, WritesOneGroupWholeAcrossTopics) {
    options.topics = {{"events", 4}, {"letters", 1}};
    options.commit_linger = Milliseconds{50};
    open();
    Answers answers;
    log->producer().append("events", batch_of({{"1", "e"}}), answers.expect("e"));
    log->producer().append("letters", batch_of({{"1", "l"}}), answers.expect("l"));
    ASSERT_TRUE(answers.wait_for(2));
    reopen();
    EXPECT_THAT(values_of(read_all(*log)), UnorderedElementsAre("e"));
    EXPECT_EQ(log->watermarks("letters").value().at(0).end, Offset{1});
}

TEST_F(RocksDbLogTest, SplitsWhatIsTooLargeForOneBlock) {
    options.topics = {{"events", 1}};
    open();
    RecordBatch batch;
    for (int i = 0; i < 5; ++i)
        batch.add("k", std::string(400'000, static_cast<char>('a' + i)));
    ASSERT_TRUE(append(*log, std::move(batch)));
    reopen();
    const auto kept = read_all(*log).at(0);
    ASSERT_EQ(kept.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i)
        EXPECT_EQ(kept[i].value, std::string(400'000, static_cast<char>('a' + i)));
}

TEST_F(RocksDbLogTest, RefusesWhatIsTooLargeUnknownOrTooMuch) {
    options.max_record_bytes = 100;
    options.max_bytes_in_flight = 2000;
    options.commit_linger = Milliseconds{3'600'000};
    open();
    const auto too_large = append(*log, batch_of({{"k", "small"}, {"k", std::string(101, 'x')}}));
    ASSERT_FALSE(too_large);
    EXPECT_EQ(too_large.error().code, ErrorCode::too_large);
    EXPECT_EQ(append(*log, batch_of({{"k", "v"}}), "nothing").error().code, ErrorCode::not_found);
    EXPECT_TRUE(append(*log, RecordBatch{}));

    RecordBatch with_headers = batch_of({{"k", "v"}});
    with_headers.add_header("name", std::string(70'000, 'h'));
    EXPECT_EQ(append(*log, std::move(with_headers)).error().code, ErrorCode::too_large);

    Answers answers;
    RecordBatch first;
    for (int i = 0; i < 10; ++i)
        first.add("k", std::string(90, 'x'));
    RecordBatch second = first;
    log->producer().append("events", std::move(first), answers.expect("first"));
    EXPECT_EQ(append(*log, std::move(second)).error().code, ErrorCode::overloaded);
    EXPECT_EQ(log->producer().health().appends_in_flight, 1u);
    EXPECT_TRUE(answers.all().empty());
    log->close();
    ASSERT_EQ(answers.all().size(), 1u);
    EXPECT_TRUE(answers.all().front().second);
}

TEST_F(RocksDbLogTest, MakesWhatIsPendingDurableWhenItCloses) {
    options.commit_linger = Milliseconds{3'600'000};
    open();
    Answers answers;
    for (int i = 0; i < 100; ++i)
        log->producer().append("events", batch_of({{"k", std::to_string(i)}}),
                               answers.expect(std::to_string(i)));
    EXPECT_TRUE(answers.all().empty());
    log->close();
    EXPECT_EQ(answers.all().size(), 100u);
    for (const auto& [id, status] : answers.all())
        EXPECT_TRUE(status);
    const auto late = append(*log, batch_of({{"k", "late"}}));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::unavailable);
    EXPECT_FALSE(log->producer().health().up);
    reopen();
    EXPECT_EQ(values_of(read_all(*log)).size(), 100u);
}

TEST_F(RocksDbLogTest, NeverLetsAppendTimesGoBack) {
    options.topics = {{"events", 1}};
    open();
    ASSERT_TRUE(append(*log, batch_of({{"k", "1"}})));
    const std::int64_t first = clock.wall().value;
    clock.set_wall(TimestampMs{first - 60'000});
    ASSERT_TRUE(append(*log, batch_of({{"k", "2"}})));
    reopen();
    ASSERT_TRUE(append(*log, batch_of({{"k", "3"}})));
    clock.set_wall(TimestampMs{first + 5});
    ASSERT_TRUE(append(*log, batch_of({{"k", "4"}})));
    std::vector<std::int64_t> times;
    const auto kept = read_all(*log).at(0);
    for (const Kept& each : kept)
        times.push_back(each.appended_at - first);
    EXPECT_THAT(times, ElementsAre(0, 0, 0, 5));
}

TEST_F(RocksDbLogTest, RemovesWhatIsOlderThanItsRetention) {
    options.topics = {{"events", 1}};
    options.retention = Milliseconds{3'600'000};
    open();
    for (const char* value : {"old 1", "old 2"})
        ASSERT_TRUE(append(*log, batch_of({{"k", value}})));
    clock.advance(Milliseconds{3'000'000});
    ASSERT_TRUE(append(*log, batch_of({{"k", "young"}})));
    clock.advance(Milliseconds{1'000'000});
    const auto begin = [&] { return log->watermarks("events").value().at(0).begin; };
    ASSERT_TRUE(eventually([&] { return begin() == Offset{2}; }));

    Follower reader{*log};
    FetchedBatch batch;
    ASSERT_TRUE(reader.consumer->seek(Partition{0}, Offset{1}));
    const auto removed = reader.consumer->read(Partition{0}, Offset{1}, Offset{3}, batch);
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().code, ErrorCode::not_found);
    EXPECT_THAT(removed.error().message, HasSubstr("go on at 2"));
    reader.consumer.reset();

    reopen();
    EXPECT_EQ(begin(), Offset{2});
    EXPECT_THAT(values_of(read_all(*log)), UnorderedElementsAre("young"));

    // All of it: the offsets go on all the same.
    clock.advance(Milliseconds{8'000'000});
    ASSERT_TRUE(eventually([&] { return begin() == Offset{3}; }));
    reopen();
    EXPECT_EQ(begin(), Offset{3});
    ASSERT_TRUE(append(*log, batch_of({{"k", "next"}})));
    EXPECT_EQ(read_all(*log).at(0).front().offset, 3);
}

TEST_F(RocksDbLogTest, KeepsATableOfCurrentValuesHoweverOld) {
    // The table comes first: when the other topic has lost its record, the table was looked at.
    options.topics = {{"table", 1, true}, {"events", 1}};
    options.retention = Milliseconds{3'600'000};
    open();
    ASSERT_TRUE(append(*log, batch_of({{"7", "bid"}}), "table"));
    ASSERT_TRUE(append(*log, batch_of({{"k", "old"}})));
    clock.advance(Milliseconds{8'000'000});
    const auto begin = [&](const char* topic) {
        return log->watermarks(topic).value().at(0).begin;
    };
    ASSERT_TRUE(eventually([&] { return begin("events") == Offset{1}; }));
    EXPECT_EQ(begin("table"), Offset{0});
    reopen();
    EXPECT_EQ(begin("table"), Offset{0});
    EXPECT_EQ(log->watermarks("table").value().at(0).end, Offset{1});
}

std::uintmax_t record_file_bytes(const std::filesystem::path& directory) {
    std::uintmax_t bytes = 0;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() == ".blob" || entry.path().extension() == ".sst") {
            const auto size = entry.file_size(gone);
            bytes += gone ? 0 : size;
        }
    }
    return bytes;
}

TEST_F(RocksDbLogTest, GivesTheRoomOfRemovedRecordsBack) {
    options.retention = Milliseconds{3'600'000};
    open();
    constexpr std::uintmax_t rounds = 10;
    for (std::uintmax_t i = 0; i < rounds; ++i) {
        RecordBatch batch;
        for (int key = 0; key < 100; ++key)
            batch.add(std::to_string(key), noise(10'000));
        ASSERT_TRUE(append(*log, std::move(batch)));
    }
    reopen();  // writes the log's tail to files of records
    const auto before = record_file_bytes(options.directory);
    EXPECT_GT(before, rounds * 1'000'000);
    clock.advance(Milliseconds{7'200'000});
    ASSERT_TRUE(append(*log, batch_of({{"k", "young"}})));
    EXPECT_TRUE(eventually([&] { return record_file_bytes(options.directory) < before / 10; }))
        << record_file_bytes(options.directory) << " of " << before << " bytes are left";
    EXPECT_THAT(values_of(read_all(*log)), UnorderedElementsAre("young"));
}

}  // namespace
}  // namespace adtally::eventlog
