// Reads stretches of single partitions and answers questions about their offsets, outside of any
// group: for restoring state.
//
// A stretch of offsets without records (markers of transactions, records of one that was aborted)
// is read as nothing: the batch is empty.
//
// Threads. One: the owner's.
#pragma once

#include <memory>
#include <string>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/client.hpp"

struct rd_kafka_message_s;

namespace adtally::eventlog::kafka {

class RangeReader final : public Reader {
public:
    static Result<RangeReader> open(const ClusterSettings& cluster, std::string topic,
                                    Milliseconds timeout);
    RangeReader(RangeReader&&) noexcept = default;
    ~RangeReader() override;

    Result<Watermarks> watermarks(Partition partition) override;
    Result<Offset> offset_at(Partition partition, TimestampMs at) override;
    Status read(Partition partition, Offset from, Offset to, FetchedBatch& batch) override;

private:
    RangeReader(Handle handle, std::string name, Milliseconds timeout);
    Status start(Partition partition, Offset from);
    void stop();

    Handle handle_;
    std::string name_;
    Milliseconds timeout_;
    Topic topic_;
    // What is being fetched, so that the next stretch goes on where the last one ended.
    bool fetching_ = false;
    Partition partition_;
    Offset next_;
};

// Copies a message to a batch, its headers too where they are wanted: `size_of` says how much room
// its key and value take in the storage.
std::size_t size_of(const rd_kafka_message_s& message);
void copy_to(const rd_kafka_message_s& message, std::string& storage, FetchedBatch& batch);

}  // namespace adtally::eventlog::kafka
