// What the cluster says of its topics, and how the missing ones are made.
//
// Threads. Any.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/cause.hpp"
#include "platform/eventlog/kafka/client.hpp"
#include "platform/eventlog/kafka/kafka_log.hpp"

struct rd_kafka_metadata;

namespace adtally::eventlog::kafka {

class Topics {
public:
    // Throws std::runtime_error when librdkafka refuses the settings.
    explicit Topics(const LogOptions& options);

    // Asks the cluster until it has answered once; creates the topic if it is missing and that is
    // wished. `not_found` for a topic that is not of this log.
    Result<TopicInfo> info(std::string_view name);
    Result<std::vector<Watermarks>> watermarks(std::string_view name);
    // The largest batch that every topic takes, in bytes, as the cluster says at this moment.
    Result<std::size_t> max_batch_bytes(const std::stop_token& stop);
    const LogOptions::Topic* options_of(std::string_view name) const;

private:
    Result<std::int32_t> partitions_of(const std::string& name);
    Status create(const LogOptions::Topic& topic);
    int ask(rd_kafka_topic_s* topic, const struct rd_kafka_metadata** answer);
    // What a question that failed with `code` is reported as.
    Error why(int code, std::string_view what);

    const std::vector<LogOptions::Topic> topics_;
    const bool create_;
    const Milliseconds timeout_;
    Cause cause_;  // before the handle, which tells it
    Handle handle_;
    std::mutex mutex_;
    std::map<std::string, TopicInfo, std::less<>> known_;
};

}  // namespace adtally::eventlog::kafka
