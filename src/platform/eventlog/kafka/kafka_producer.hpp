// Appends to Kafka: idempotent, acknowledged by all in-sync replicas, or reported as failed in
// time.
//
// Promise. The completion of an append is called once: with success when the broker has
// acknowledged every record of the batch, with `timed_out` when the deadline passed and some may be
// there all the same (also when it is known of some), with `unavailable` when none is there. A
// fatal error of the idempotent producer (its sequence is lost) fails what is in flight; then a new
// producer takes its place.
//
// Records keep their order within a key as long as no append fails. Their partition is the one of
// the Java client: librdkafka's murmur2.
//
// Threads. append from any; completions on the thread `kafka-reports`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/cause.hpp"
#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

struct ProducerOptions {
    ClusterSettings cluster;
    // From append to its report.
    Milliseconds deadline{2'000};
    // A record waits so long for company: a request to a broker costs as much as many records.
    Milliseconds linger{5};
    std::size_t max_record_bytes = 900u << 10;
    std::size_t max_bytes_in_flight = 64u << 20;
};

class KafkaProducer final : public Producer {
public:
    // Throws std::runtime_error when librdkafka refuses the settings.
    explicit KafkaProducer(ProducerOptions options);
    ~KafkaProducer() override;

    void append(std::string_view topic, RecordBatch batch, AppendDone done) override;
    LogHealth health() const override;
    std::size_t max_record_bytes() const override { return max_record_bytes_; }
    // The broker takes batches (Kafka's max.message.bytes) up to so many bytes. A smaller limit
    // than before ends the connection when what it carries has been reported.
    void set_broker_limit(std::size_t bytes);
    std::size_t max_batch_bytes() const { return max_batch_bytes_; }
    // The broker has found a batch too large: it may have been told another limit. Once.
    bool take_limit_doubt() { return limit_doubted_.exchange(false); }

    // Refuses new appends; what is pending is reported, by the deadline at the latest.
    void close();
    // What health shows until the next append succeeds.
    void set_trouble(std::string reason);
    void well();

    // Appends that Kafka has acknowledged.
    std::uint64_t acknowledged() const { return acknowledged_; }

    // Times that a fatal error was survived.
    std::uint64_t rebuilds() const { return rebuilds_; }

    // Called by librdkafka.
    void on_report(void* append, int code);
    void on_error(int code, std::string_view detail);
    void on_fatal(rd_kafka_s* handle);

private:
    struct Append;
    struct Client {
        Handle handle;
        std::mutex mutex;
        std::map<std::string, Topic, std::less<>> topics;
    };

    std::unique_ptr<Client> make_client();
    rd_kafka_topic_s* topic_of(Client& client, std::string_view name);
    // 0, or why the record was not taken.
    int produce(Client& client, rd_kafka_topic_s* topic, Append& append, std::size_t index);
    Append* begin(RecordBatch batch, AppendDone& done);
    std::uint32_t send(Client& client, std::string_view topic, Append& append);
    void settle(Append& append, std::uint32_t records);
    Error failed(int code);
    void note_fatal(rd_kafka_s* handle);
    void report_loop();
    void end_client();
    void replace_client();
    std::optional<Error> refusal(const RecordBatch& batch) const;

    const ProducerOptions options_;
    std::atomic<std::uint64_t> appends_in_flight_{0};
    std::atomic<std::uint64_t> bytes_in_flight_{0};
    std::atomic<bool> closing_{false};
    std::atomic<bool> fatal_{false};
    std::atomic<bool> renew_{false};
    std::atomic<bool> limit_doubted_{false};
    std::atomic<std::size_t> max_batch_bytes_;
    std::atomic<std::size_t> max_record_bytes_;
    std::atomic<std::uint64_t> rebuilds_{0};
    std::atomic<std::uint64_t> acknowledged_{0};
    std::atomic<bool> troubled_{false};  // there is something for well() to do
    Cause cause_;
    mutable std::mutex trouble_mutex_;
    std::string trouble_;
    std::condition_variable closed_;  // with trouble_mutex_
    std::shared_mutex client_mutex_;  // exclusively while the client is replaced
    std::unique_ptr<Client> client_;
    std::thread reports_;
};

}  // namespace adtally::eventlog::kafka
