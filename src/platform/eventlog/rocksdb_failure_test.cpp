// What the world can break: locks, damage, missing records, no room.
#include <gmock/gmock.h>
#include <rocksdb/db.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "platform/eventlog/store_keys.hpp"
#include "platform/eventlog/test_support.hpp"

namespace adtally::eventlog {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RocksDbFailureTest : public LogFixture {
protected:
    // Runs `change` on the database underneath while the log is closed.
    template <class Change>
    void behind_its_back(Change change) {
        log.reset();
        rocksdb::Options raw;
        raw.enable_blob_files = true;
        rocksdb::DB* opened = nullptr;
        ASSERT_TRUE(rocksdb::DB::Open(raw, options.directory.string(), &opened).ok());
        const std::unique_ptr<rocksdb::DB> database(opened);
        change(*database);
    }
    void append_rounds(int rounds) {
        for (int i = 0; i < rounds; ++i)
            ASSERT_TRUE(append(*log, batch_of({{"k", std::to_string(i) + noise(3000)}})));
    }
};

TEST_F(RocksDbFailureTest, RefusesADirectoryThatIsInUse) {
    open();
    const auto first = std::move(log);
    EXPECT_THAT(refusal(),
                AllOf(HasSubstr("in use by another adtally"), HasSubstr(options.directory.string()),
                      HasSubstr("--data-dir"), Not(HasSubstr("\n"))));
}

TEST_F(RocksDbFailureTest, RefusesADirectoryThatCannotBeOne) {
    std::ofstream(directory.path() / "file") << "x";
    options.directory = directory.path() / "file" / "log";
    EXPECT_THAT(refusal(), AllOf(HasSubstr("cannot be used"), HasSubstr("--data-dir")));
}

TEST_F(RocksDbFailureTest, MakesTheDirectoriesThatAreMissing) {
    options.directory = directory.path() / "a" / "b" / "log";
    open();
    ASSERT_TRUE(append(*log, batch_of({{"k", "v"}})));
    EXPECT_TRUE(std::filesystem::exists(options.directory / "CURRENT"));
}

TEST_F(RocksDbFailureTest, RefusesAnotherNumberOfPartitions) {
    open();
    options.topics = {{"events", 6}};
    EXPECT_THAT(refusal(),
                AllOf(HasSubstr("has 4 partitions, 6 are configured"), HasSubstr("configure 4")));
}

TEST_F(RocksDbFailureTest, RefusesADatabaseOfANewerFormat) {
    open();
    behind_its_back([](rocksdb::DB& database) {
        std::string format;
        append_le(format, std::uint64_t{3});
        ASSERT_TRUE(database.Put({}, format_key(), format).ok());
    });
    EXPECT_THAT(refusal(), HasSubstr("has format 3, this adtally knows 2"));
}

// So that an adtally that knows nothing of compressed blocks refuses it as newer.
TEST_F(RocksDbFailureTest, TakesOverADatabaseOfTheFirstFormat) {
    open();
    ASSERT_TRUE(append(*log, batch_of({{"k", "before"}})));
    behind_its_back([](rocksdb::DB& database) {
        std::string format;
        append_le(format, std::uint64_t{1});
        ASSERT_TRUE(database.Put({}, format_key(), format).ok());
    });
    open();
    EXPECT_EQ(values_of(read_all(*log)), (std::multiset<std::string>{"before"}));
    behind_its_back([](rocksdb::DB& database) {
        std::string format;
        ASSERT_TRUE(database.Get({}, format_key(), &format).ok());
        EXPECT_EQ(load_le<std::uint64_t>(format.data()), 2u);
    });
}

TEST_F(RocksDbFailureTest, RefusesADirectoryWhoseHeadIsLost) {
    open();
    append_rounds(3);
    log.reset();
    std::filesystem::remove(options.directory / "CURRENT");
    EXPECT_THAT(refusal(), AllOf(HasSubstr("damaged"), HasSubstr("CURRENT")));
}

TEST_F(RocksDbFailureTest, RefusesDamageInTheMiddleOfTheWriteAheadLog) {
    options.topics = {{"events", 1}};
    open();
    append_rounds(100);
    log.reset();
    const auto wal = file(".log");
    damage(wal, std::filesystem::file_size(wal) / 2);
    EXPECT_THAT(refusal(), AllOf(HasSubstr("damaged"), HasSubstr("restore"), Not(HasSubstr("\n"))));
}

// A disk that lied: what it had said to be durable is cut off. What is left is whole.
TEST_F(RocksDbFailureTest, OpensWithoutTheTornTailOfTheWriteAheadLog) {
    options.topics = {{"events", 1}};
    open();
    append_rounds(20);
    log.reset();
    const auto wal = file(".log");
    std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 100);
    open();
    EXPECT_EQ(read_all(*log).at(0).size(), 19u);
    ASSERT_TRUE(append(*log, batch_of({{"k", "next"}})));
    reopen();
    EXPECT_EQ(read_all(*log).at(0).back().offset, 19);
}

TEST_F(RocksDbFailureTest, SaysWhichBlockIsCorruptAndReadsTheOthers) {
    options.topics = {{"events", 1}};
    open();
    append_rounds(3);
    reopen();  // writes the records to their final file
    log.reset();
    damage(file(".blob"), 1000);
    open();
    Follower reader{*log};
    FetchedBatch batch;
    const auto polled = reader.consumer->poll(batch, 10, soon());
    ASSERT_FALSE(polled);
    EXPECT_EQ(polled.error().code, ErrorCode::corrupt);
    EXPECT_THAT(polled.error().message, HasSubstr("events"));
    EXPECT_TRUE(batch.records.empty());
    EXPECT_EQ(reader.consumer->poll(batch, 10, soon()).error().code, ErrorCode::corrupt);
    ASSERT_TRUE(reader.consumer->seek(Partition{0}, Offset{1}));
    ASSERT_TRUE(reader.consumer->poll(batch, 10, soon()));
    EXPECT_EQ(batch.records.size(), 2u);
}

TEST_F(RocksDbFailureTest, CallsAMissingBlockCorrupt) {
    options.topics = {{"events", 1}};
    open();
    append_rounds(4);
    behind_its_back([](rocksdb::DB& database) {
        ASSERT_TRUE(database.Delete({}, block_key(1, Partition{0}, Offset{1})).ok());
    });
    open();
    {
        Follower reader{*log};
        FetchedBatch batch;
        ASSERT_TRUE(reader.consumer->poll(batch, 10, soon()));
        EXPECT_EQ(batch.records.size(), 1u);
        const auto polled = reader.consumer->poll(batch, 10, soon());
        ASSERT_FALSE(polled);
        EXPECT_EQ(polled.error().code, ErrorCode::corrupt);
        EXPECT_THAT(polled.error().message, HasSubstr("the record at 1 is missing"));
        EXPECT_EQ(reader.consumer->read(Partition{0}, Offset{1}, Offset{2}, batch).error().code,
                  ErrorCode::corrupt);
    }
    behind_its_back([](rocksdb::DB& database) {
        ASSERT_TRUE(database.Delete({}, block_key(1, Partition{0}, Offset{3})).ok());
    });
    EXPECT_THAT(refusal(), AllOf(HasSubstr("damaged"), HasSubstr("records are missing")));
}

TEST_F(RocksDbFailureTest, CallsABlockOfTheWrongBytesCorrupt) {
    options.topics = {{"events", 1}};
    open();
    append_rounds(2);
    behind_its_back([](rocksdb::DB& database) {
        ASSERT_TRUE(database.Put({}, block_key(1, Partition{0}, Offset{0}), "not a block").ok());
    });
    open();
    Follower reader{*log};
    FetchedBatch batch;
    const auto polled = reader.consumer->poll(batch, 10, soon());
    ASSERT_FALSE(polled);
    EXPECT_EQ(polled.error().code, ErrorCode::corrupt);
    EXPECT_THAT(polled.error().message, HasSubstr("partition 0, block 0"));
}

TEST_F(RocksDbFailureTest, CallsABlockUnderAnotherKeyCorrupt) {
    options.topics = {{"events", 1}};
    open();
    append_rounds(2);
    behind_its_back([](rocksdb::DB& database) {
        std::string second;
        ASSERT_TRUE(database.Get({}, block_key(1, Partition{0}, Offset{1}), &second).ok());
        ASSERT_TRUE(database.Put({}, block_key(1, Partition{0}, Offset{0}), second).ok());
    });
    open();
    Follower reader{*log};
    FetchedBatch batch;
    const auto polled = reader.consumer->poll(batch, 10, soon());
    ASSERT_FALSE(polled);
    EXPECT_THAT(polled.error().message, HasSubstr("block 0: it says to begin at 1"));
}

TEST_F(RocksDbFailureTest, RefusesBeforeTheDiskIsFullAndGoesOnWhenThereIsRoom) {
    std::atomic<std::uint64_t> free{100u << 20};
    options.min_free_disk_bytes = 64u << 20;
    options.free_disk_bytes = [&free] { return free.load(); };
    open();
    ASSERT_TRUE(append(*log, batch_of({{"k", "before"}})));
    free = 10u << 20;
    ASSERT_TRUE(eventually([&] { return !log->producer().health().up; }));
    EXPECT_THAT(log->producer().health().reason,
                AllOf(HasSubstr("10 MiB free"), HasSubstr("make room")));
    EXPECT_EQ(append(*log, batch_of({{"k", "refused"}})).error().code, ErrorCode::storage_full);
    EXPECT_EQ(values_of(read_all(*log)), (std::multiset<std::string>{"before"}));
    free = 100u << 20;
    ASSERT_TRUE(eventually([&] { return log->producer().health().up; }));
    ASSERT_TRUE(append(*log, batch_of({{"k", "after"}})));
    EXPECT_EQ(values_of(read_all(*log)), (std::multiset<std::string>{"before", "after"}));
}

// Appends until it fails, lets `cure` work, appends again; then every answer must have been true.
class FailedWriteTest : public RocksDbFailureTest {
protected:
    void TearDown() override {
        stop_reading_ = true;
        if (reader_.joinable())
            reader_.join();
    }
    std::string next_id() { return std::to_string(++last_id_) + noise(20'000); }
    // One append; remembers it when it was acknowledged.
    Status try_append() {
        const std::string id = next_id();
        const std::string key = std::to_string(last_id_ % 10);
        Status outcome = append(*log, batch_of({{key.c_str(), id}, {"other", id + "b"}}));
        if (outcome) {
            acknowledged_.insert(id);
            acknowledged_.insert(id + "b");
        }
        return outcome;
    }
    Status append_until_it_fails() {
        for (int i = 0; i < 5000; ++i) {
            if (auto outcome = try_append(); !outcome)
                return outcome;
        }
        return ok();
    }
    void expect_all_acknowledged_once() {
        const auto values = values_of(read_all(*log));
        for (const std::string& id : acknowledged_)
            EXPECT_EQ(values.count(id), 1u) << id.substr(0, 8);
        for (const std::string& value : values)
            EXPECT_EQ(values.count(value), 1u) << value.substr(0, 8);
    }
    // A reader that goes on through failure and recovery.
    void start_reading() {
        reader_ = std::thread([this] {
            Follower reader{*log};
            FetchedBatch batch;
            for (;;) {
                const bool last = stop_reading_;
                const Status polled =
                    reader.consumer->poll(batch, 100, Deadline::after(Milliseconds{20}));
                if (!polled) {
                    EXPECT_EQ(polled.error().code, ErrorCode::unavailable)
                        << polled.error().message;
                    if (last)
                        return;
                    continue;
                }
                for (const FetchedRecord& record : batch.records)
                    EXPECT_TRUE(read_.emplace(record.value).second) << "read twice";
                if (last && batch.records.empty())
                    return;
            }
        });
    }
    void expect_all_acknowledged_were_read() {
        stop_reading_ = true;
        reader_.join();
        for (const std::string& id : acknowledged_)
            EXPECT_EQ(read_.count(id), 1u) << id.substr(0, 8);
    }
    template <class Cure>
    void fail_and_recover(ErrorCode expected, Cure cure) {
        for (int round = 0; round < 3; ++round) {
            const Status failed = append_until_it_fails();
            ASSERT_FALSE(failed);
            EXPECT_EQ(failed.error().code, expected) << failed.error().message;
            ASSERT_TRUE(eventually([&] { return log->producer().health().up; }));
        }
        cure();
        ASSERT_TRUE(eventually([&] { return bool(try_append()); }));
        for (int i = 0; i < 20; ++i)
            ASSERT_TRUE(try_append());
        EXPECT_GT(acknowledged_.size(), 40u);
        expect_all_acknowledged_were_read();
        expect_all_acknowledged_once();
        reopen();
        expect_all_acknowledged_once();
    }

private:
    int last_id_ = 0;
    std::set<std::string> acknowledged_;
    std::set<std::string> read_;
    std::atomic<bool> stop_reading_{false};
    std::thread reader_;
};

// A limit on the size of files breaks a write in its middle, as a full disk does.
TEST_F(FailedWriteTest, RecoversFromAWriteThatBreaksOffInItsMiddle) {
    open();
    start_reading();
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(try_append());
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit limited{1'000'003, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
    fail_and_recover(ErrorCode::unavailable,
                     [&] { ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0); });
    ::setrlimit(RLIMIT_FSIZE, &before);
}

TEST_F(FailedWriteTest, RecoversFromAFullDisk) {
    const auto mounted = directory.path() / "small";
    std::filesystem::create_directory(mounted);
    if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=8m") != 0)
        GTEST_SKIP() << "a small file system cannot be mounted here";
    options.directory = mounted / "log";
    const auto filler = mounted / "filler";
    std::ofstream(filler) << std::string(3u << 20, 'x');
    open();
    const Status failed = append_until_it_fails();
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::storage_full) << failed.error().message;
    EXPECT_FALSE(log->producer().health().up);
    EXPECT_EQ(append(*log, batch_of({{"k", "v"}})).error().code, ErrorCode::storage_full);
    std::filesystem::remove(filler);
    EXPECT_TRUE(eventually([&] { return log->producer().health().up; }))
        << log->producer().health().reason;
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(try_append());
    expect_all_acknowledged_once();
    reopen();
    expect_all_acknowledged_once();
    log.reset();
    EXPECT_EQ(::umount(mounted.c_str()), 0);
}

}  // namespace
}  // namespace adtally::eventlog
