// Writes what cannot be counted to ad-events-dlt, with its reason and its original position.
//
// Promise. `write` returns success only when all are durable; the loop moves the offset past them
// only then. A crash between the two writes them again: dead letters are at-least-once, the headers
// (topic, partition, offset) tell repetitions apart.
#pragma once

#include <span>
#include <string>

#include "pipeline/processor/partition_state.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::processor {

// Names as Spring Kafka has them (DeadLetterPublishingRecoverer); the values are text, so that
// every tool shows them.
namespace dead_letter_headers {
inline constexpr const char* topic = "kafka_dlt-original-topic";
inline constexpr const char* partition = "kafka_dlt-original-partition";
inline constexpr const char* offset = "kafka_dlt-original-offset";
inline constexpr const char* timestamp = "kafka_dlt-original-timestamp";
inline constexpr const char* reason = "kafka_dlt-exception-fqcn";
inline constexpr const char* message = "kafka_dlt-exception-message";
}  // namespace dead_letter_headers

class DeadLetterWriter {
public:
    DeadLetterWriter(eventlog::Producer& producer, std::string source_topic,
                     std::string dead_letter_topic, Milliseconds deadline);
    // Waits until durable, at most the deadline.
    Status write(Partition partition, std::span<const DeadLetter> letters);

private:
    eventlog::Producer& producer_;
    std::string source_topic_;
    std::string dead_letter_topic_;
    Milliseconds deadline_;
};

}  // namespace adtally::processor
