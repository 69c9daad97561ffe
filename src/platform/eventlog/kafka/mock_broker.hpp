// For the tests of this folder: a broker of librdkafka's own, in this process, with the topic
// `events`.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <string>

#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

inline constexpr std::int32_t partitions = 4;

class MockBroker {
public:
    MockBroker() {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        char reason[256];
        rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", reason, sizeof reason);
        rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
        handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason));
        cluster_ = rd_kafka_mock_cluster_new(handle_.get(), 1);
        rd_kafka_mock_topic_create(cluster_, "events", partitions, 1);
    }
    ~MockBroker() { rd_kafka_mock_cluster_destroy(cluster_); }

    std::string address() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
    rd_kafka_mock_cluster_t* get() const { return cluster_; }

private:
    Handle handle_;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace adtally::eventlog::kafka
