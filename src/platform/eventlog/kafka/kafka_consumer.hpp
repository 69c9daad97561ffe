// Reads a topic as a member of a consumer group: who reads which partition is the group's decision,
// from where is the reader's.
//
// Design. The group's assignment is eager (range), with static membership. Only the partitions that
// were sought are fetched: poll() hands librdkafka the whole list with our own positions whenever
// one changes. So nothing is ever fetched from a stored position, and neither seek nor pause of
// librdkafka is used, which lose messages beside a rebalance (PITFALLS). A message that is not at
// the position we stand at is dropped when it lies before it, and a hole when it lies behind.
//
// Values are copied once, into memory of our own with readable bytes behind them.
//
// Threads. One: the owner's, callbacks of the group included.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/cause.hpp"
#include "platform/eventlog/kafka/client.hpp"
#include "platform/eventlog/kafka/range_reader.hpp"

struct rd_kafka_message_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_queue_s;

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

struct MessageDeleter {
    void operator()(rd_kafka_message_s* message) const;
};
using Message = std::unique_ptr<rd_kafka_message_s, MessageDeleter>;

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
    struct Cursor {
        bool sought = false;
        Offset fetched;  // the next to be fetched
        std::deque<Message> waiting;
    };
    struct Failure {
        Partition partition;
        Error error;
    };

    KafkaConsumer(std::string topic, const ConsumerOptions& options, AssignmentListener& listener,
                  RangeReader reader);
    Status join();
    void serve_group();
    void fetch(Deadline deadline);
    void sort(Message message);
    void failed(const rd_kafka_message_s& message);
    void end();
    void revoke_all();
    void apply_positions();
    int assign(const rd_kafka_topic_partition_list_s* partitions);
    bool take(FetchedBatch& batch, std::size_t max_records);

    const std::string topic_;
    const bool may_have_holes_;
    const std::shared_ptr<void> name_lease_;
    const std::function<void()> on_name_lost_;
    AssignmentListener* listener_;  // none while this is being destroyed
    RangeReader reader_;
    Handle handle_;
    rd_kafka_queue_s* queue_ = nullptr;
    std::map<Partition, Cursor> cursors_;  // of what the group has given us
    Partition turn_{};
    std::int32_t unassigned_ = 0;  // partitions of a reader without a group, until the first poll
    bool must_apply_ = false;
    bool must_unassign_ = false;
    int assigned_ = 0;                // partitions that librdkafka has been given
    Deadline settled_{SteadyTime{}};  // before it they must not be taken or given
    std::optional<Failure> failure_;  // since the last poll
    Cause cause_;                     // of failing connections, until something comes again
    std::optional<Error> ended_;
};

}  // namespace adtally::eventlog::kafka
