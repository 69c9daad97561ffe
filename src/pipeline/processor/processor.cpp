#include "pipeline/processor/processor.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "base/assert.hpp"
#include "pipeline/processor/catalogue_reader.hpp"
#include "pipeline/processor/telemetry.hpp"

namespace adtally::processor {
namespace {

domain::ReportingZone zone_or_throw(const std::string& name) {
    auto zone = domain::ReportingZone::from_name(name);
    if (!zone)
        throw std::runtime_error("unknown reporting time zone '" + name +
                                 "'; use UTC, an offset such as +08:00, or a name such as "
                                 "Europe/Berlin (package tzdata)");
    return *zone;
}

}  // namespace

Processor::Processor(Options options, eventlog::EventLog& log, MetricsStore& store,
                     const LiveThresholds& thresholds, MetricPublisher& publisher,
                     const Clock& clock, observability::MetricRegistry& metrics,
                     CrashPoints& crash_points)
    : options_(std::move(options)),
      log_(log),
      store_(store),
      thresholds_(thresholds),
      publisher_(publisher),
      clock_(clock),
      crash_points_(crash_points),
      dead_letters_(log.producer(), options_.topic, options_.dead_letter_topic,
                    options_.dead_letter_deadline),
      logger_("data-processor"),
      telemetry_(std::make_unique<Telemetry>(metrics)),
      catalogue_reader_(
          std::make_unique<CatalogueReader>(log, options_.catalogue_topic, tools_.catalogue)),
      zone_(zone_or_throw(options_.reporting_zone)),
      hash_key_(random_hash_key()) {
    snapshot_.moved_at = clock_.steady();
}

Processor::~Processor() {
    stop();
}

void Processor::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "proc-loop");
        run();
    });
}

void Processor::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

// A partition that comes back is taken up as it was left: whether the store has gone on without us
// says the next synchronise(). Those that do not come back are forgotten.
void Processor::on_assigned(std::span<const Partition> partitions) {
    for (Partition partition : partitions) {
        const auto left = std::find_if(parked_.begin(), parked_.end(), [&](const auto& state) {
            return state != nullptr && state->partition() == partition;
        });
        partitions_.push_back(
            left != parked_.end()
                ? std::move(*left)
                : std::make_unique<PartitionState>(partition, Aggregator{zone_},
                                                   Deduplicator{options_.dedup_window, hash_key_}));
        unsought_.insert(partition);
    }
    parked_.clear();
    std::erase_if(restoring_, [this](const auto& each) { return mine(each.first) == nullptr; });
    must_synchronise_ = true;
}

void Processor::on_revoked(std::span<const Partition> partitions) {
    const auto stays = [&](const std::unique_ptr<PartitionState>& state) {
        return std::find(partitions.begin(), partitions.end(), state->partition()) ==
               partitions.end();
    };
    const auto taken = std::stable_partition(partitions_.begin(), partitions_.end(), stays);
    std::move(taken, partitions_.end(), std::back_inserter(parked_));
    partitions_.erase(taken, partitions_.end());
    for (const Partition partition : partitions) {
        unsought_.erase(partition);
        held_up_.erase(partition);
        unreadable_.erase(partition);
        quiet_.erase(partition);
    }
    publisher_.flush();  // before whoever is next publishes newer values
}

PartitionState* Processor::mine(Partition partition) {
    for (auto& state : partitions_)
        if (state->partition() == partition)
            return state.get();
    return nullptr;
}

bool Processor::stopping() const {
    std::lock_guard lock(mutex_);
    return stopping_;
}

void Processor::run() {
    while (!stopping()) {
        step();
        publish_snapshot();
    }
    finish();
}

void Processor::finish() {
    if (!must_synchronise_)
        flush_all();
    publisher_.flush();
    publish_snapshot();
    consumer_.reset();  // leaves the group: here, so that several loops do it at the same time
}

bool Processor::open_consumer() {
    auto consumer = log_.consumer(options_.topic, *this);
    if (!consumer) {
        trouble(consumer.error().message);
        wait_backoff();
        return false;
    }
    consumer_ = std::move(consumer.value());
    poll_once(clock_.steady());  // delivers the first assignment
    return consumer_ != nullptr;
}

void Processor::step() {
    if (consumer_ == nullptr && !open_consumer())
        return;
    slice_end_ = clock_.steady() + options_.restore_slice;
    bool verify = clock_.steady() - last_verified_ >= options_.verify_interval;
    if (must_synchronise_ || verify || generation_ != store_.generation()) {
        Status status = synchronise();
        if (status)
            status = read_catalogue();
        if (!status) {
            must_synchronise_ = true;
            trouble(status.error().message);
            serve_group();
            wait_backoff();
            return;
        }
        measure_lag();
        tell();
    }
    restore_some();
    // What cannot be flushed must not grow: nothing more is read until it could.
    if (flush_blocked_)
        serve_group();
    else
        poll_once(next_to_restore() != nullptr ? clock_.steady() : next_flush_);
    if (flush_blocked_ || flush_due())
        flush_all();
    watch_progress();
    publisher_.tick();
}

std::int64_t Processor::pending_events() const {
    std::int64_t events = 0;
    for (const auto& state : partitions_)
        events += state->pending_events();
    return events;
}

bool Processor::flush_due() const {
    if (pending_events() >= static_cast<std::int64_t>(options_.flush_events) ||
        clock_.steady() >= next_flush_)
        return true;
    std::size_t keys = 0;
    for (const auto& state : partitions_)
        keys += state->pending_keys();
    return keys >= options_.flush_keys;
}

void Processor::poll_once(SteadyTime until) {
    fetched_.clear();
    const Status status = consumer_->poll(fetched_, options_.poll_records, Deadline{until});
    if (!status && status.error().code == ErrorCode::not_found)
        overtaken_by_retention();
    else if (!status)
        not_read(status.error());
    else if (!fetched_.records.empty())
        take_records();
}

void Processor::take_records() {
    comes_again(fetched_.partition);
    PartitionState* state = mine(fetched_.partition);
    // What comes while it is restored comes again: it is sought then.
    if (state == nullptr || !state->positioned() || restoring_.contains(fetched_.partition))
        return;
    Decoded* now = &tools_.decoded[0];
    Decoded* ahead = &tools_.decoded[1];
    state->decode(fetched_.records.front(), *now);
    for (std::size_t i = 0; i < fetched_.records.size(); ++i) {
        if (i + 1 < fetched_.records.size())
            state->decode(fetched_.records[i + 1], *ahead);
        if (!process(*state, fetched_.records[i], *now))
            return;
        std::swap(now, ahead);
    }
    crash_points_.pass(CrashPoint::processor_after_fold);
}

// What is pending belongs to whoever has the partitions now: the store's offset says from where.
void Processor::begin_anew() {
    consumer_.reset();
    partitions_.clear();
    parked_.clear();
    unsought_.clear();
    restoring_.clear();
    held_up_.clear();
    unreadable_.clear();
    quiet_.clear();
    flush_blocked_ = false;
    must_synchronise_ = true;
}

void Processor::measure_lag() {
    std::int64_t lag = 0;
    for (const auto& state : partitions_)
        if (const auto end = consumer_->known_end(state->partition()); end && state->positioned())
            lag += std::max<std::int64_t>(0, end->value - state->flushed().value);
    std::lock_guard lock(mutex_);
    snapshot_.lag_events = lag;
}

// While nothing may be read: a member that does not poll holds up the others' rebalance.
void Processor::serve_group() {
    if (consumer_ != nullptr)
        (void)consumer_->poll(fetched_, 0, Deadline{clock_.steady()});
}

// False when the partition goes on later, from there.
bool Processor::process(PartitionState& state, const eventlog::FetchedRecord& record,
                        const Decoded& decoded) {
    if (state.process(record, decoded, tools_) == PartitionState::Step::done)
        return true;
    if (!look_back(state))
        return false;
    const bool done = state.process(record, decoded, tools_) == PartitionState::Step::done;
    ADTALLY_ASSERT(done);
    return done;
}

// The records that come next were removed before they were read: what is pending is saved, and the
// partition starts over from the store, which books the gap as expired.
void Processor::overtaken_by_retention() {
    flush_all();
    if (PartitionState* state = mine(fetched_.partition))
        forget(*state);
    must_synchronise_ = true;
}

// Without the bids that stand there nothing is counted; without newer ones the old ones hold.
Status Processor::read_catalogue() {
    if (Status status = catalogue_reader_->read_new(); !status) {
        if (!catalogue_reader_->loaded())
            return status;
        if (std::exchange(catalogue_trouble_, status.error().message) != status.error().message)
            logger_.warn("catalogue cannot be read, bids stay as they are",
                         {{"error", std::string_view(status.error().message)}});
        return ok();
    }
    catalogue_trouble_.clear();
    return ok();
}

void Processor::publish_snapshot() {
    std::int64_t pending = pending_events();
    std::size_t entries = 0;
    std::size_t bytes = 0;
    for (const auto& state : partitions_) {
        entries += state->deduplicator().size();
        bytes += state->deduplicator().memory_bytes();
    }
    std::lock_guard lock(mutex_);
    snapshot_.pending_events = pending;
    snapshot_.dedup_entries = entries;
    snapshot_.dedup_bytes = bytes;
    snapshot_.moved_at = clock_.steady();
}

Snapshot Processor::snapshot() const {
    std::lock_guard lock(mutex_);
    return snapshot_;
}

observability::ComponentHealth Processor::health() const {
    constexpr auto stuck_after = std::chrono::seconds(30);
    Snapshot now = snapshot();
    observability::ComponentHealth health;
    health.details.emplace_back("pendingEvents", std::to_string(now.pending_events));
    health.details.emplace_back("dedupEntries", std::to_string(now.dedup_entries));
    auto silent = clock_.steady() - now.moved_at;
    if (silent > stuck_after)
        now.trouble = fmt::format("the loop has not moved for {} s",
                                  std::chrono::duration_cast<std::chrono::seconds>(silent).count());
    if (!now.trouble.empty()) {
        health.status = observability::HealthStatus::down;
        health.details.emplace_back("error", now.trouble);
    }
    return health;
}

}  // namespace adtally::processor
