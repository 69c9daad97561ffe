#include "sim/world/host_log.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "pipeline/processor/dead_letters.hpp"

namespace adtally::sim {

namespace {

constexpr const char* log_id = "log-1";

std::int64_t number_in(const eventlog::RecordBatch& batch, std::string_view header) {
    std::int64_t number = -1;
    for (const eventlog::Header& each : batch.headers())
        if (each.name == header)
            std::from_chars(each.value.data(), each.value.data() + each.value.size(), number);
    return number;
}

}  // namespace

// A member of the group that reads; also after it has lost what it reads, until it hears of that.
class HostLog::Follower final : public eventlog::Consumer {
public:
    Follower(HostLog& of, eventlog::AssignmentListener& listener) : of_(of), listener_(listener) {
        of_.group_.join(of_.host_);
    }
    ~Follower() override { of_.group_.leave(of_.host_); }

    Status poll(eventlog::FetchedBatch& batch, std::size_t max_records, Deadline) override {
        of_.interrupter_.interrupt(of_.host_, "before a poll");
        batch.clear();
        if (!ended_ && of_.setting_.faults.strikes(Fault::name_taken))
            end();
        if (ended_)
            return Error{ErrorCode::conflict, "another member has this one's name"};
        hear_news();
        if (next_.empty() || max_records == 0)
            return ok();
        const auto [partition, next] = turn();
        batch.partition = partition;
        if (of_.setting_.faults.strikes(Fault::read_failed))
            return Error{ErrorCode::unavailable, "the log cannot be read"};
        const std::int64_t there = of_.log_.end(partition.value) - next;
        if (there > 0) {
            std::int64_t from = next;
            if (of_.setting_.faults.strikes(Fault::records_repeated))
                from -= of_.setting_.random.between(0, next);
            std::int64_t count = std::min(static_cast<std::int64_t>(max_records), there);
            if (!of_.setting_.faults.ceased())
                count = of_.setting_.random.between(1, count);
            fill(partition, from, next + count, batch);
            next_[partition] = next + count;
        }
        of_.interrupter_.interrupt(of_.host_, "after a poll");
        return ok();
    }
    Status seek(Partition partition, Offset next) override {
        of_.interrupter_.interrupt(of_.host_, "before a seek");
        const auto found = next_.find(partition);
        if (found == next_.end())
            return Error{ErrorCode::not_found, "not assigned"};
        if (next.value > of_.log_.end(partition.value))
            return Error{ErrorCode::conflict, "past the end"};
        found->second = next.value;
        return ok();
    }
    bool ended() const override { return ended_; }
    std::optional<Offset> known_end(Partition partition) const override {
        if (!next_.contains(partition))
            return std::nullopt;
        return Offset{of_.log_.end(partition.value)};
    }
    void commit_hint(Partition, Offset) override {
        of_.interrupter_.interrupt(of_.host_, "before a commit hint");
    }
    Result<eventlog::Watermarks> watermarks(Partition partition) override {
        of_.interrupter_.interrupt(of_.host_, "before it reads watermarks");
        if (of_.setting_.faults.strikes(Fault::read_failed))
            return Error{ErrorCode::unavailable, "the log cannot be asked"};
        return eventlog::Watermarks{Offset{0}, Offset{of_.log_.end(partition.value)}};
    }
    Result<Offset> offset_at(Partition partition, TimestampMs at) override {
        of_.interrupter_.interrupt(of_.host_, "before it looks for a time");
        if (of_.setting_.faults.strikes(Fault::read_failed))
            return Error{ErrorCode::unavailable, "the log cannot be asked"};
        if (of_.setting_.bug == PlantedBug::forgotten_window)
            return Offset{of_.log_.end(partition.value)};
        return Offset{of_.log_.offset_at(partition.value, at)};
    }
    Status read(Partition partition, Offset from, Offset to,
                eventlog::FetchedBatch& batch) override {
        of_.interrupter_.interrupt(of_.host_, "before it reads a stretch");
        batch.clear();
        if (of_.setting_.faults.strikes(Fault::read_failed))
            return Error{ErrorCode::unavailable, "the log cannot be read"};
        if (to.value > of_.log_.end(partition.value))
            return Error{ErrorCode::conflict, "past the end"};
        if (from >= to)
            return ok();
        // As far as the log's own batches go.
        fill(partition, from.value, of_.setting_.random.between(from.value + 1, to.value), batch);
        return ok();
    }

private:
    static constexpr std::int64_t paused = -1;  // assigned, not sought yet

    void end() {
        of_.setting_.tell("  processor {} is no member any more", of_.host_);
        ended_ = true;
        of_.group_.leave(of_.host_);
        std::vector<Partition> all;
        for (const auto& [partition, next] : next_)
            all.push_back(partition);
        next_.clear();
        if (!all.empty())
            listener_.on_revoked(all);
    }
    void hear_news() {
        Setting& setting = of_.setting_;
        if (!of_.group_.has_news(of_.host_) || setting.faults.strikes(Fault::unaware))
            return;
        for (const Notice& notice : of_.group_.take_news(of_.host_)) {
            setting.tell("  processor {} hears that it {} {} partitions", of_.host_,
                         notice.given ? "has" : "has lost", notice.partitions.size());
            for (const Partition partition : notice.partitions) {
                if (notice.given)
                    next_[partition] = paused;
                else
                    next_.erase(partition);
            }
            if (notice.given)
                listener_.on_assigned(notice.partitions);
            else
                listener_.on_revoked(notice.partitions);
        }
    }
    // The next one that has records; or else any, with nothing to come.
    std::pair<Partition, std::int64_t> turn() {
        auto at = next_.upper_bound(turn_);
        for (std::size_t i = 0; i < next_.size(); ++i, ++at) {
            if (at == next_.end())
                at = next_.begin();
            if (at->second == paused || at->second >= of_.log_.end(at->first.value))
                continue;
            turn_ = at->first;
            return *at;
        }
        const Partition any = next_.begin()->first;
        return {any, of_.log_.end(any.value)};
    }
    // With the padding that a log promises behind each value.
    void fill(Partition partition, std::int64_t from, std::int64_t to,
              eventlog::FetchedBatch& batch) {
        const std::span<const Record> records{of_.log_.records(partition.value).data() + from,
                                              of_.log_.records(partition.value).data() + to};
        auto bytes = std::make_shared<std::string>();
        for (const Record& record : records)
            bytes->append(record.key).append(record.value).append(eventlog::value_padding, ' ');
        std::string_view rest{*bytes};
        for (const Record& record : records) {
            const std::size_t key = record.key.size();
            batch.records.push_back({Offset{from++}, record.appended_at, rest.substr(0, key),
                                     rest.substr(key, record.value.size())});
            rest.remove_prefix(key + record.value.size() + eventlog::value_padding);
        }
        batch.partition = partition;
        batch.storage = std::move(bytes);
    }

    HostLog& of_;
    eventlog::AssignmentListener& listener_;
    std::map<Partition, std::int64_t> next_;  // of the partitions that it believes to have
    Partition turn_{};
    bool ended_ = false;
};

HostLog::HostLog(int host, Setting& setting, LogModel& log, Group& group, Interrupter& interrupter)
    : host_(host), setting_(setting), log_(log), group_(group), interrupter_(interrupter) {}

HostLog::~HostLog() {
    close();
}

void HostLog::close() {
    for (eventlog::AppendDone& answer : std::exchange(late_answers_, {}))
        answer(ok());
}

Result<std::unique_ptr<eventlog::Consumer>> HostLog::consumer(
    std::string_view topic, eventlog::AssignmentListener& listener) {
    ADTALLY_ASSERT(topic == events_topic);
    if (setting_.faults.strikes(Fault::read_failed))
        return Error{ErrorCode::unavailable, "the log cannot be reached"};
    std::unique_ptr<eventlog::Consumer> made = std::make_unique<Follower>(*this, listener);
    return made;
}

Result<std::unique_ptr<eventlog::Reader>> HostLog::reader(std::string_view) {
    return Error{ErrorCode::not_found, "not in this world"};
}

// There is no catalogue: every event brings its cost.
Result<eventlog::TopicInfo> HostLog::topic(std::string_view name) const {
    if (setting_.faults.strikes(Fault::read_failed))
        return Error{ErrorCode::unavailable, "the log cannot be reached"};
    if (name != events_topic)
        return Error{ErrorCode::not_found, "no such topic"};
    return eventlog::TopicInfo{std::string(name), log_.partitions(), log_id};
}

Result<std::vector<eventlog::Watermarks>> HostLog::watermarks(std::string_view) const {
    std::vector<eventlog::Watermarks> all;
    all.reserve(static_cast<std::size_t>(log_.partitions()));
    for (std::int32_t partition = 0; partition < log_.partitions(); ++partition)
        all.push_back({Offset{0}, Offset{log_.end(partition)}});
    return all;
}

void HostLog::append(std::string_view topic, eventlog::RecordBatch batch,
                     eventlog::AppendDone done) {
    interrupter_.interrupt(host_, "before it writes to the log");
    if (topic != letters_topic)
        return done(ok());  // metric events: nobody reads them here
    if (setting_.faults.strikes(Fault::letter_refused))
        return done(Error{ErrorCode::unavailable, "the dead letter was refused"});
    keep_letter(batch);
    interrupter_.interrupt(host_, "after it wrote to the log");
    if (setting_.faults.strikes(Fault::letter_late))
        late_answers_.push_back(std::move(done));
    else if (setting_.faults.strikes(Fault::letter_timed_out))
        done(Error{ErrorCode::timed_out, "the dead letter timed out"});
    else
        done(ok());
}

void HostLog::keep_letter(const eventlog::RecordBatch& batch) {
    namespace names = processor::dead_letter_headers;
    const std::int64_t partition = number_in(batch, names::partition);
    const std::int64_t offset = number_in(batch, names::offset);
    setting_.tell("  processor {} writes a dead letter of {}/{}", host_, partition, offset);
    log_.letters.push_back(
        {static_cast<std::int32_t>(partition), offset, std::string(batch[0].value)});
}

}  // namespace adtally::sim
