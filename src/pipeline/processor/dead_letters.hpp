// Writes what cannot be counted to ad-events-dlt, with its reason and its original position.
//
// Problem. Any client may write to ad-events, also what our own producer would not take, and more
// of it at once than the producer holds. Neither may stop the stream. Design. Letters are appended
// in chunks, each awaited: what is durable is told after each, so that a repeated attempt goes on
// where the last one ended. A record above the producer's limit becomes a letter with its value
// cut; headers say how long it was, and its position where the whole stands. Promise. What
// `write_some` reports is durable; the loop moves the offset past letters only then. A crash
// between the two writes them again: dead letters are at-least-once, the headers (topic, partition,
// offset) tell repetitions apart.
#pragma once

#include <cstddef>
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
// Ours: only of a letter that was cut. How many bytes its record had.
inline constexpr const char* value_bytes = "adtally-original-value-bytes";
inline constexpr const char* key_bytes = "adtally-original-key-bytes";
}  // namespace dead_letter_headers

// Of one append after another; the producer holds 64 MiB in all.
inline constexpr std::size_t dead_letter_chunk = 1'000;
inline constexpr std::size_t dead_letter_chunk_bytes = 4u << 20;
// What headers may take beside the value, of the producer's limit.
inline constexpr std::size_t dead_letter_header_room = 2'048;

class DeadLetterWriter {
public:
    DeadLetterWriter(eventlog::Producer& producer, std::string source_topic,
                     std::string dead_letter_topic, Milliseconds deadline);
    // Writes the first chunk of them and waits until it is durable, at most the deadline. How many
    // are, counted from the first; an error when not even that one is.
    Result<std::size_t> write_some(Partition partition, std::span<const DeadLetter> letters);
    Milliseconds deadline() const { return deadline_; }

private:
    eventlog::RecordBatch record_of(Partition partition, const DeadLetter& letter,
                                    std::size_t most_bytes) const;
    Result<std::size_t> append(Partition partition, std::span<const DeadLetter> chunk,
                               std::size_t most_bytes);

    eventlog::Producer& producer_;
    std::string source_topic_;
    std::string dead_letter_topic_;
    Milliseconds deadline_;
};

}  // namespace adtally::processor
