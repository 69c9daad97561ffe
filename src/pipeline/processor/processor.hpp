// The loop of the Data Processor: log in, exact metrics out.
//
//     poll → decode → deduplicate → fold ─ every 20 ms or 50,000 events ─► dead letters durable
//     → ONE guarded script per partition → totals published → commit hint
//
// Promise. Every record of the log is counted exactly once in the store, whatever dies when. The
// store's offset is the authority; this process' positions are only a belief that is checked by
// every flush and twice a second besides. See redis_sink/README.md.
// Trouble. Store away: nothing is polled, the pending flush is repeated with back-off, readiness is
// off. Store behind (its newest writes were lost) or ahead (another processor had the partition):
// the partition starts over from the stored offset with its window restored. A partition that
// cannot be restored or read does not hold up the others: readiness is off, with its reason, and
// it is tried again. A partition that is quiet is asked for its end, one a second: records that
// stand there for 15 s and do not come are a trouble, too.
// Threads. One, "proc-loop", started by start() and joined by stop(); or the caller's, who calls
// step() instead. snapshot() from any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/crash_points.hpp"
#include "pipeline/processor/dead_letters.hpp"
#include "pipeline/processor/metric_publisher.hpp"
#include "pipeline/processor/options.hpp"
#include "pipeline/processor/partition_state.hpp"
#include "pipeline/processor/ports.hpp"
#include "platform/eventlog/event_log.hpp"
#include "platform/observability/health.hpp"
#include "platform/observability/log.hpp"
#include "platform/observability/metrics.hpp"

namespace adtally::processor {

class CatalogueReader;

// What others may see of the loop.
struct Snapshot {
    bool ready = false;
    std::string trouble = "starting";  // empty while all is well
    std::int64_t pending_events = 0;
    std::int64_t lag_events = 0;  // of its partitions, as far as their ends are known
    std::size_t dedup_entries = 0;
    std::size_t dedup_bytes = 0;
    Books since_start;  // flushed by this process
    std::uint64_t flushes = 0;
    std::uint64_t rewinds = 0;  // partitions that started over
    SteadyTime moved_at{};      // the loop's last sign of life
};

class Processor final : private eventlog::AssignmentListener {
public:
    // Throws std::runtime_error for an unknown reporting zone.
    Processor(Options options, eventlog::EventLog& log, MetricsStore& store,
              const LiveThresholds& thresholds, MetricPublisher& publisher, const Clock& clock,
              observability::MetricRegistry& metrics, CrashPoints& crash_points);
    ~Processor() override;

    void start();
    // Finishes what is read, flushes it once if the store answers, and joins.
    void stop();
    // One round of the loop, and what stop() ends it with: for a caller that has the thread itself
    // (tests/sim). What the log or the store throws passes through; only destroy this after that.
    void step();
    void finish();
    Snapshot snapshot() const;
    observability::ComponentHealth health() const;

private:
    void on_assigned(std::span<const Partition> partitions) override;
    void on_revoked(std::span<const Partition> partitions) override;

    // Reads what stands before a partition's next record, for its memory; nothing of the partition
    // is processed meanwhile.
    struct Restoring {
        Offset at;
        Offset to;
        bool history = false;  // or the window
        std::int64_t records = 0;
    };
    struct HeldUp {
        std::string reason;
        SteadyTime since{};  // the last attempt
    };
    // Of a quiet partition.
    struct Quiet {
        Offset next;
        std::optional<SteadyTime> waits_since = std::nullopt;  // something that was not read
    };

    void run();
    bool open_consumer();
    void poll_once(SteadyTime until);
    void take_records();
    void not_read(const Error& error);
    void begin_anew();
    void measure_lag();
    void serve_group();
    bool process(PartitionState& state, const eventlog::FetchedRecord& record,
                 const Decoded& decoded);
    bool look_back(PartitionState& state);
    void overtaken_by_retention();
    bool write_dead_letters(std::vector<PartitionState*>& due);
    bool stopping() const;
    std::int64_t pending_events() const;
    bool flush_due() const;
    void flush_all();
    void flush_pending();
    void settle(PartitionState& state, const Flush& flush, const FlushOutcome& outcome);
    void applied(PartitionState& state, const Flush& flush, const FlushOutcome& outcome);
    Status synchronise();
    bool take_up(std::span<const std::optional<Offset>> stored);
    Status resume(PartitionState& state);
    Status seek(PartitionState& state, Offset next);
    Status rewind(PartitionState& state, std::optional<Offset> stored);
    Result<Offset> begin_of_window(PartitionState& state, eventlog::Watermarks log);
    PartitionState* next_to_restore();
    void restore_some();
    Result<bool> restore(PartitionState& state);
    void forget(PartitionState& state);
    void hold_up(PartitionState& state, std::string reason, SteadyTime since);
    const PartitionState* next_held_up() const;
    PartitionState* mine(Partition partition);
    Status read_catalogue();
    void watch_progress();
    const PartitionState* next_to_look_at();
    PartitionState* next_suspect();
    bool is_suspect(const PartitionState& state) const;
    void look_at(PartitionState& state);
    void look_closer(PartitionState& state, Offset end);
    void comes_again(Partition partition);
    std::string first_reason() const;
    void tell();
    void trouble(std::string reason);
    void well();
    void publish_snapshot();
    void wait_backoff();
    void wait(Milliseconds span);

    Options options_;
    eventlog::EventLog& log_;
    MetricsStore& store_;
    const LiveThresholds& thresholds_;
    MetricPublisher& publisher_;
    const Clock& clock_;
    CrashPoints& crash_points_;
    DeadLetterWriter dead_letters_;
    observability::Logger logger_;
    struct Telemetry;
    std::unique_ptr<Telemetry> telemetry_;

    // The loop's own.
    Tools tools_;
    std::unique_ptr<CatalogueReader> catalogue_reader_;
    std::string catalogue_trouble_;
    domain::ReportingZone zone_;
    HashKey hash_key_;
    std::unique_ptr<eventlog::Consumer> consumer_;
    std::vector<std::unique_ptr<PartitionState>> partitions_;
    std::vector<std::unique_ptr<PartitionState>> parked_;  // revoked, until the next assignment
    std::set<Partition> unsought_;                         // of those assigned
    std::map<Partition, Restoring> restoring_;
    std::map<Partition, HeldUp> held_up_;  // could not be restored
    SteadyTime next_retry_{};              // of one of them
    // Why the log could not be read: all of it (whole_log), or a partition.
    std::map<Partition, std::string> unreadable_;
    std::map<Partition, Quiet> quiet_;
    Partition look_turn_;
    Partition suspect_turn_;
    SteadyTime next_look_{};
    SteadyTime slice_end_{};  // of this round's restoring
    eventlog::FetchedBatch fetched_;
    bool must_synchronise_ = true;
    bool flush_blocked_ = false;  // the store refused, or dead letters could not be written
    std::uint64_t generation_ = 0;
    bool log_bound_ = false;
    SteadyTime next_flush_{};
    SteadyTime last_verified_{};
    Milliseconds backoff_{0};

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    Snapshot snapshot_;
    std::set<std::string> told_causes_;  // of this spell of trouble
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adtally::processor
