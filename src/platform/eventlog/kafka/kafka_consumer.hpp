// Reads a topic as a member of a consumer group: who reads which partition is the group's decision,
// from where is the reader's.
//
// Design. The group's assignment is eager (range), with static membership. Only the partitions that
// were sought are fetched: poll() hands librdkafka the whole list with our own positions whenever
// one changes. So nothing is ever fetched from a stored position, and neither seek nor pause of
// librdkafka is used, which lose messages beside a rebalance (PITFALLS). A message that lies before
// the position we stand at is dropped. Before one that lies behind it is a hole: the marker of a
// transaction, records of one that was aborted, or a message that was lost on the way. What is lost
// is lost beside an assignment, so the first hole behind each is read by a second reader: if there
// is nothing it is passed over, with a line in the log for the first of a partition.
//
// Values are copied once, into memory of our own with readable bytes behind them.
//
// Threads. One: the owner's, callbacks of the group included.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/cause.hpp"
#include "platform/eventlog/kafka/client.hpp"
#include "platform/eventlog/kafka/consumer_options.hpp"
#include "platform/eventlog/kafka/cursors.hpp"
#include "platform/eventlog/kafka/range_reader.hpp"
#include "platform/observability/log.hpp"

struct rd_kafka_topic_partition_list_s;
struct rd_kafka_queue_s;

namespace adtally::eventlog::kafka {

class KafkaConsumer final : public Consumer {
public:
    static Result<std::unique_ptr<KafkaConsumer>> open(const ConsumerOptions& options,
                                                       std::string topic,
                                                       AssignmentListener& listener);
    // Leaves the group.
    ~KafkaConsumer() override;

    Status poll(FetchedBatch& batch, std::size_t max_records, Deadline deadline) override;
    // Asks nobody: a position that is not there is `not_found` at the next poll.
    Status seek(Partition partition, Offset next) override;
    bool ended() const override { return ended_.has_value(); }
    std::optional<Offset> known_end(Partition partition) const override;
    Result<Watermarks> watermarks(Partition partition) override;
    Result<Offset> offset_at(Partition partition, TimestampMs at) override;
    Status read(Partition partition, Offset from, Offset to, FetchedBatch& batch) override;
    void commit_hint(Partition partition, Offset next) override;

    // Called by librdkafka, on the polling thread.
    void on_rebalance(int code, rd_kafka_topic_partition_list_s* partitions);
    void on_error(int code, std::string_view detail);

private:
    KafkaConsumer(std::string topic, const ConsumerOptions& options, AssignmentListener& listener,
                  RangeReader reader);
    Status join();
    void serve_group();
    void fetch(Deadline deadline);
    void sort(Message message);
    bool passes_hole(Partition partition, Cursor& cursor, Offset end);
    void failed(const rd_kafka_message_s& message);
    Status tell(FetchedBatch& batch, bool again);
    void end_fatally();
    void end(Error why);
    void revoke_all();
    void apply_positions();
    int assign(const rd_kafka_topic_partition_list_s* partitions);

    const std::string topic_;
    const bool may_have_holes_;
    const std::shared_ptr<void> name_lease_;
    const std::function<void()> on_name_lost_;
    AssignmentListener* listener_;  // none while this is being destroyed
    RangeReader reader_;
    Handle handle_;
    rd_kafka_queue_s* queue_ = nullptr;
    const observability::Logger logger_{"kafka"};
    Cursors cursors_;  // of what the group has given us
    std::set<Partition> holes_told_;
    std::int32_t unassigned_ = 0;  // partitions of a reader without a group, until the first poll
    bool must_apply_ = false;
    bool must_unassign_ = false;
    int assigned_ = 0;                // partitions that librdkafka has been given
    Deadline settled_{SteadyTime{}};  // before it they must not be taken or given
    std::optional<Error> failure_;    // of no single partition, until it is told
    bool all_down_ = false;           // that is what failure_ says
    Cause cause_;                     // of failing connections, until something comes again
    std::optional<Error> ended_;
};

}  // namespace adtally::eventlog::kafka
