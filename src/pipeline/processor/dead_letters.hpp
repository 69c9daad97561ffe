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
