// What a cluster refuses, and what cannot be reached, is said with its reason: against the mock
// broker of librdkafka, and against nobody.
#include "platform/eventlog/kafka/rights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <future>

#include "platform/eventlog/kafka/kafka_log.hpp"
#include "platform/eventlog/kafka/mock_broker.hpp"

namespace adtally::eventlog::kafka {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Keys of Kafka's protocol.
constexpr std::int16_t offset_fetch = 9;
constexpr std::int16_t init_producer_id = 22;
constexpr Milliseconds patience{20'000};

class MockCluster : public MockBroker {
public:
    ClusterSettings settings() const { return {.bootstrap = address(), .properties = {}}; }
    void refuse(std::int16_t request, rd_kafka_resp_err_t with, int times = 100) {
        for (int i = 0; i < times; ++i)
            rd_kafka_mock_push_request_errors(get(), request, 1, with);
    }
};

std::unique_ptr<EventLog> open(ClusterSettings cluster) {
    LogOptions options;
    options.cluster = std::move(cluster);
    options.topics = {{"events", partitions}};
    return open_kafka_log(options);
}

Status append(EventLog& log) {
    RecordBatch batch;
    batch.add("key", "value");
    std::promise<Status> told;
    log.producer().append("events", std::move(batch),
                          [&](Status status) { told.set_value(std::move(status)); });
    return told.get_future().get();
}

TEST(Rights, AreThereWhenNobodyRefuses) {
    const MockCluster cluster;
    EXPECT_TRUE(check_rights(cluster.settings(), "group", "events", patience));
    EXPECT_TRUE(check_rights(cluster.settings(), "", "events", patience));
}

TEST(Rights, AGroupThatMayNotBeJoinedIsNamed) {
    MockCluster cluster;
    cluster.refuse(offset_fetch, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    const Status refused = check_rights(cluster.settings(), "readers", "events", patience);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr("group readers"), HasSubstr("the user needs rights")));
}

TEST(Rights, ASilentClusterIsNoRefusal) {
    const ClusterSettings nobody{.bootstrap = "127.0.0.1:1", .properties = {}};
    EXPECT_TRUE(check_rights(nobody, "group", "events", Milliseconds{300}));
}

// The producer is fatally wrong each time, and made anew: the reason outlasts it.
TEST(Refusals, AWriterWithoutRightsSaysSo) {
    MockCluster cluster;
    cluster.refuse(init_producer_id, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    const auto log = open(cluster.settings());
    for (int i = 0; i < 5; ++i) {
        const Status refused = append(*log);
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().message,
                    AllOf(HasSubstr("Cluster authorization"), HasSubstr("the user needs rights")));
        EXPECT_FALSE(log->producer().health().up);
    }
}

TEST(Refusals, ABrokerThatIsNotThereIsNamedWithItsAddress) {
    const auto log = open({.bootstrap = "127.0.0.1:1", .properties = {}});
    const auto topic = log->topic("events");
    ASSERT_FALSE(topic);
    EXPECT_THAT(topic.error().message,
                AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("Connection refused"),
                      HasSubstr("is Kafka running at the address of --kafka?")));
    const Status written = append(*log);
    ASSERT_FALSE(written);
    EXPECT_THAT(written.error().message,
                AllOf(HasSubstr("did not acknowledge"), HasSubstr("Connection refused")));
}

TEST(Refusals, AHostThatHasNoAddressIsNamed) {
    const auto log = open({.bootstrap = "kafka.invalid:9092", .properties = {}});
    const auto topic = log->topic("events");
    ASSERT_FALSE(topic);
    EXPECT_THAT(topic.error().message,
                AllOf(HasSubstr("kafka.invalid"), HasSubstr("check the host name in --kafka")));
}

}  // namespace
}  // namespace adtally::eventlog::kafka
