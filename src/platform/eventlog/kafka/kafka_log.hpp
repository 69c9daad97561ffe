// The event log of the full stack: Apache Kafka behind the port that callers know.
//
// Promise. Opening needs no broker: what cannot be reached says so in health and in each answer,
// and works once it is there. Topics that are missing are created when that is wished.
//
// Threads. As event_log.hpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

struct LogOptions {
    struct Topic {
        std::string name;
        std::int32_t partitions;  // when it is created; an existing topic keeps its own
        // Keeps the newest record of each key, and every reader reads all of it.
        bool compacted = false;
    };
    ClusterSettings cluster;
    std::vector<Topic> topics;
    bool create_topics = true;
    // Readers of the other topics share their partitions under this name.
    std::string group = "adtally-processor";
    // A fixed name of this process in the group; empty for none. Several readers of one topic
    // become name, name.w1, name.w2 …
    std::string instance;
    Milliseconds append_deadline{2'000};
    Milliseconds linger{5};
    Milliseconds session_timeout{6'000};
    Milliseconds heartbeat{2'000};
    Milliseconds question_timeout{5'000};
    std::size_t max_record_bytes = 900u << 10;
    std::size_t max_bytes_in_flight = 64u << 20;
};

// Throws std::runtime_error when librdkafka refuses the settings, naming the one.
std::unique_ptr<EventLog> open_kafka_log(LogOptions options);

}  // namespace adtally::eventlog::kafka
