#include "platform/eventlog/grouper.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace adtally::eventlog {
namespace {

PendingAppend append_of(std::size_t topic, std::initializer_list<const char*> values,
                        const char* trace = nullptr) {
    PendingAppend append{topic, {}, {}};
    for (const char* value : values)
        append.batch.add("k", value);
    if (trace)
        append.batch.add_header("traceparent", trace);
    return append;
}

std::vector<PartitionBounds> one_partition(std::int64_t end, std::int64_t last_append) {
    return {{Offset{0}, Offset{end}, TimestampMs{last_append}}};
}

TEST(Grouper, MakesOneBlockOfAllAppendsToAPartition) {
    Grouper grouper{2};
    grouper.reset(0, 7, one_partition(100, 0));
    grouper.reset(1, 9, one_partition(5, 0));
    std::vector<PendingAppend> appends;
    appends.push_back(append_of(0, {"a", "b"}));
    appends.push_back(append_of(1, {"x"}));
    appends.push_back(append_of(0, {"c"}));
    grouper.build(appends, TimestampMs{50});
    ASSERT_EQ(grouper.blocks().size(), 2u);
    const CommitBlock& block = grouper.blocks()[0];
    EXPECT_EQ(block.topic_id, 7);
    EXPECT_EQ(block.info.base, Offset{100});
    EXPECT_EQ(block.info.end, Offset{103});
    EXPECT_EQ(block.info.appended_at, TimestampMs{50});
    EXPECT_TRUE(check_block(framed(block.bytes)));
    EXPECT_EQ(grouper.blocks()[1].info.base, Offset{5});
    EXPECT_EQ(grouper.ends()[0].partitions[0].end, Offset{103});
    EXPECT_EQ(grouper.ends()[1].partitions[0].end, Offset{6});

    grouper.build(std::span{appends}.subspan(1, 1), TimestampMs{60});
    ASSERT_EQ(grouper.topics().size(), 1u);
    EXPECT_EQ(grouper.topics()[0], 1u);
    EXPECT_EQ(grouper.blocks()[0].info.base, Offset{6});
}

TEST(Grouper, KeepsTheHeadersOfEachAppendApart) {
    Grouper grouper{1};
    grouper.reset(0, 1, one_partition(0, 0));
    std::vector<PendingAppend> appends;
    appends.push_back(append_of(0, {"a", "b"}, "first"));
    appends.push_back(append_of(0, {"c"}));
    appends.push_back(append_of(0, {"d"}, "last"));
    grouper.build(appends, TimestampMs{1});
    const auto runs = header_runs(framed(grouper.blocks()[0].bytes));
    ASSERT_EQ(runs.size(), 3u);
    EXPECT_EQ(runs[0].headers.at(0).value, "first");
    EXPECT_EQ(runs[1].first_record, 2u);
    EXPECT_TRUE(runs[1].headers.empty());
    EXPECT_EQ(runs[2].first_record, 3u);
    EXPECT_EQ(runs[2].headers.at(0).value, "last");
}

TEST(Grouper, TakesNoTimeBeforeTheLast) {
    Grouper grouper{1};
    grouper.reset(0, 1, one_partition(0, 1000));
    std::vector<PendingAppend> appends;
    appends.push_back(append_of(0, {"a"}));
    grouper.build(appends, TimestampMs{900});
    EXPECT_EQ(grouper.blocks()[0].info.appended_at, TimestampMs{1000});
    grouper.build(appends, TimestampMs{1001});
    EXPECT_EQ(grouper.blocks()[0].info.appended_at, TimestampMs{1001});
}

TEST(Grouper, EndsABlockAtOneMebibyteAndRepeatsTheHeaders) {
    Grouper grouper{1};
    grouper.reset(0, 1, one_partition(0, 0));
    std::vector<PendingAppend> appends;
    appends.push_back(append_of(0, {}, "trace"));
    for (int i = 0; i < 30; ++i)
        appends.front().batch.add("k", std::string(100'000, 'v'));
    grouper.build(appends, TimestampMs{1});
    ASSERT_EQ(grouper.blocks().size(), 3u);
    Offset next{0};
    for (const CommitBlock& block : grouper.blocks()) {
        EXPECT_EQ(block.info.base, next);
        EXPECT_LE(block.bytes->size(), (1u << 20) + 1000);
        const auto runs = header_runs(framed(block.bytes));
        ASSERT_EQ(runs.size(), 1u);
        EXPECT_EQ(runs[0].first_record, 0u);
        next = block.info.end;
    }
    EXPECT_EQ(next, Offset{30});
}

}  // namespace
}  // namespace adtally::eventlog
