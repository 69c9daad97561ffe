#include "pipeline/processor/operations/event_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/assert.hpp"
#include "domain/codec.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "pipeline/processor/history.hpp"
#include "pipeline/processor/operations/event_keys.hpp"
#include "pipeline/processor/operations/redrive.hpp"

namespace adtally::operations {
namespace {

// Clocks of clients and collectors may differ by so much.
constexpr std::int64_t clock_slack_ms = 10 * 60 * 1000;
constexpr std::size_t most_records = 1'000;
// All records of a trace are of one event, whatever its id.
constexpr std::string_view one_event = "one";

std::string header_of(std::span<const eventlog::Header> headers, std::string_view name) {
    for (const eventlog::Header& header : headers)
        if (header.name == name)
            return header.value;
    return {};
}

// Without what may stand between two parts of JSON.
std::string_view without_blanks_behind(std::string_view text) {
    return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

}  // namespace

bool names_event(std::string_view bytes, std::string_view event_id) {
    const std::string quoted = fmt::format("\"{}\"", event_id);
    for (std::size_t at = bytes.find(quoted); at != std::string_view::npos;
         at = bytes.find(quoted, at + 1)) {
        std::string_view before = without_blanks_behind(bytes.substr(0, at));
        if (!before.ends_with(':'))
            continue;
        before.remove_suffix(1);
        if (without_blanks_behind(before).ends_with("\"event_id\""))
            return true;
    }
    return false;
}

std::optional<TimestampMs> uuid_v7_time(std::string_view text) {
    constexpr std::size_t length = 36;
    constexpr std::size_t version_at = 14;
    if (text.size() != length || text[version_at] != '7' || text[8] != '-' || text[13] != '-')
        return std::nullopt;
    const std::string digits = std::string(text.substr(0, 8)) + std::string(text.substr(9, 4));
    std::int64_t ms = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), ms, 16);
    if (failure != std::errc{} || end != digits.data() + digits.size())
        return std::nullopt;
    return TimestampMs{ms};
}

// One search: a reader and a decoder. What it finds is judged afterwards.
class EventTracer::Search {
public:
    Search(eventlog::Reader& reader, const TraceQuery& query, const EventTracer& tracer,
           Deadline deadline)
        : reader_(reader),
          query_(query),
          quoted_(fmt::format("\"{}\"", query.event_id)),
          window_(tracer.dedup_window_),
          zone_(tracer.zone_),
          deadline_(deadline) {
        batch_.wants_headers = true;
        if (query.from)
            trace.searched_from =
                TimestampMs{query.from->value - processor::remembered(window_).count()};
        else if (const auto made = uuid_v7_time(query.event_id))
            trace.searched_from = TimestampMs{made->value - clock_slack_ms};
    }

    Status partition(Partition partition) {
        const std::size_t before = trace.records.size();
        const bool retained = trace.retained;
        ADTALLY_TRY(scan(partition, trace.searched_from));
        // Late records look back further than the window: whether one stands there has to be known.
        std::optional<TimestampMs> needed;
        for (std::size_t i = before; i < trace.records.size(); ++i)
            if (const auto since = looks_back_to(trace.records[i]))
                needed = std::min(needed.value_or(*since), *since);
        if (!query_.from || !needed || *needed >= *trace.searched_from || !trace.complete)
            return ok();
        trace.records.resize(before);
        trace.retained = retained;
        return scan(partition, needed);
    }

    Trace trace;

private:
    Status scan(Partition partition, std::optional<TimestampMs> from) {
        ADTALLY_TRY(const auto ends, reader_.watermarks(partition));
        Offset at = ends.begin;
        if (from) {
            ADTALLY_TRY(const auto begin, reader_.offset_at(partition, *from));
            at = std::max(at, begin);
        }
        trace.retained = trace.retained && (at > ends.begin || ends.begin.value == 0);
        while (at < ends.end) {
            if (deadline_.passed()) {
                trace.complete = false;
                return ok();
            }
            ADTALLY_TRY(reader_.read(partition, at, ends.end, batch_));
            // What is left are offsets without records: as behind a transaction.
            if (batch_.records.empty())
                return ok();
            for (std::size_t i = 0; i < batch_.records.size(); ++i) {
                const eventlog::FetchedRecord& record = batch_.records[i];
                if (query_.to && record.appended_at > *query_.to)
                    return ok();
                ++trace.searched;
                at = Offset{record.offset.value + 1};
                if (record.value.find(quoted_) != std::string_view::npos)
                    examine(partition, record, batch_.headers_of(i));
                if (trace.records.size() == most_records) {
                    trace.complete = false;
                    return ok();
                }
            }
        }
        return ok();
    }

    void examine(Partition partition, const eventlog::FetchedRecord& record,
                 std::span<const eventlog::Header> headers) {
        const auto rejection =
            decoder_.decode_stored(record.value, eventlog::value_padding, event_);
        if (rejection ? !names_event(record.value, query_.event_id)
                      : event_.event_id != query_.event_id)
            return;
        TracedRecord found;
        found.position = {partition, record.offset};
        found.appended_at = record.appended_at;
        found.collector = header_of(headers, collector_header);
        found.traceparent = header_of(headers, "traceparent");
        found.redriven_from = header_of(headers, redriven_from_header);
        if (rejection)
            found.reason = fmt::format("{}: {}", rejection->code, rejection->message);
        else
            describe(found);
        trace.records.push_back(std::move(found));
    }

    std::optional<TimestampMs> looks_back_to(const TracedRecord& record) const {
        if (record.type.empty())
            return std::nullopt;
        return processor::late_since(record.received_at, record.appended_at, window_);
    }

    void describe(TracedRecord& found) {
        found.type = domain::to_string(event_.type);
        found.ad = event_.ad_id.value;
        found.campaign = event_.campaign_id.value;
        found.received_at = event_.received_at;
        found.event_time = event_.timestamp;
        found.late = zone_.hour(event_.timestamp) < zone_.hour(found.appended_at);
        found.keys = keys_of(event_, zone_);
    }

    eventlog::Reader& reader_;
    const TraceQuery& query_;
    const std::string quoted_;
    const Milliseconds window_;
    domain::ReportingZone zone_;
    const Deadline deadline_;
    eventlog::FetchedBatch batch_;
    domain::Decoder decoder_;
    domain::Event event_;
};

EventTracer::EventTracer(eventlog::EventLog& log, std::string topic, Milliseconds dedup_window,
                         domain::ReportingZone zone)
    : log_(log), topic_(std::move(topic)), dedup_window_(dedup_window), zone_(std::move(zone)) {}

Result<Trace> EventTracer::find(const TraceQuery& query, const Counted& counted,
                                Deadline deadline) {
    ADTALLY_TRY(const auto info, log_.topic(topic_));
    ADTALLY_TRY(auto reader, log_.reader(topic_));
    Search search(*reader, query, *this, deadline);
    if (query.ad) {
        const auto only = eventlog::partition_of(std::to_string(*query.ad), info.partitions);
        ADTALLY_TRY(search.partition(only));
    } else {
        for (std::int32_t i = 0; i < info.partitions && search.trace.complete; ++i) {
            ADTALLY_TRY(search.partition(Partition{i}));
        }
    }
    Trace trace = std::move(search.trace);
    ADTALLY_TRY(judge(trace, counted));
    if (query.from)
        std::erase_if(trace.records,
                      [&](const TracedRecord& each) { return each.appended_at < *query.from; });
    std::stable_sort(trace.records.begin(), trace.records.end(),
                     [](const TracedRecord& left, const TracedRecord& right) {
                         return left.appended_at < right.appended_at;
                     });
    return trace;
}

namespace {

// Which of one partition's records count, by the processor's rules: in the order of offsets.
class Verdicts {
public:
    Verdicts(Milliseconds window, std::optional<Offset> counted_to,
             processor::OffsetRanges dead_lettered)
        : seen_(window, processor::random_hash_key()),
          counted_to_(counted_to),
          dead_lettered_(std::move(dead_lettered)) {}

    Fate of(TracedRecord& record) {
        const bool decodable = !record.type.empty();
        const bool processed = counted_to_ && record.position.offset < *counted_to_;
        if (decodable && dead_lettered_.contains(record.position.offset)) {
            record.reason =
                "it was not taken when it was processed; today it would be: redrive its letter";
            return Fate::dead_lettered;
        }
        if (!decodable)
            return processed ? Fate::dead_lettered : Fate::in_flight;
        const Fate fate = is_double(record) ? Fate::duplicate : Fate::counted;
        return processed ? fate : Fate::in_flight;
    }

private:
    // Remembers it either way.
    bool is_double(const TracedRecord& record) {
        domain::EventType type{};
        ADTALLY_ASSERT(domain::parse_event_type(record.type, type));
        bool found = !seen_.insert(type, one_event, record.appended_at);
        if (const auto since =
                processor::late_since(record.received_at, record.appended_at, seen_.window()))
            found = found || std::any_of(stood_.begin(), stood_.end(), [&](const auto& each) {
                        return each.second >= *since && each.first == type;
                    });
        stood_.emplace_back(type, record.appended_at);
        return found;
    }

    processor::Deduplicator seen_;
    std::vector<std::pair<domain::EventType, TimestampMs>> stood_;
    std::optional<Offset> counted_to_;
    processor::OffsetRanges dead_lettered_;
};

}  // namespace

Status EventTracer::judge(Trace& trace, const Counted& counted) const {
    ADTALLY_TRY(const auto offsets, counted.to());
    for (auto record = trace.records.begin(); record != trace.records.end();) {
        const Partition partition = record->position.partition;
        const auto index = static_cast<std::size_t>(partition.value);
        ADTALLY_TRY(auto dead_lettered, counted.dead_lettered(partition));
        Verdicts verdicts(dedup_window_, index < offsets.size() ? offsets[index] : std::nullopt,
                          std::move(dead_lettered));
        for (; record != trace.records.end() && record->position.partition == partition; ++record) {
            record->fate = verdicts.of(*record);
            if (record->fate != Fate::counted)
                record->keys.clear();
        }
    }
    return ok();
}

}  // namespace adtally::operations
