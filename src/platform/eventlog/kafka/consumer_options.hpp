// How a reader of a topic is set up.
//
// Threads. Values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

struct ConsumerOptions {
    ClusterSettings cluster;
    // Empty: no group, every partition is this reader's.
    std::string group;
    // Of the topic; asked for without a group only.
    std::int32_t partitions = 0;
    // Empty: a member without a fixed name. A member that comes back under its name within the
    // session time-out keeps its partitions.
    std::string instance;
    std::shared_ptr<void> name_lease = {};    // dropped with the consumer: its name is free again
    std::function<void()> on_name_lost = {};  // another process has it
    // How long a killed member's partitions stay with it.
    Milliseconds session_timeout{6'000};
    Milliseconds heartbeat{2'000};
    // A compacted topic has offsets without records; in another one that is damage.
    bool may_have_holes = false;
    // How long a question to the cluster outside of the polling order may take.
    Milliseconds question_timeout{5'000};
};

// In librdkafka's words.
Properties properties_of(const ConsumerOptions& options);

}  // namespace adtally::eventlog::kafka
