#include "pipeline/processor/operations/event_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "domain/codec.hpp"
#include "pipeline/processor/deduplicator.hpp"
#include "pipeline/processor/history.hpp"
#include "pipeline/processor/operations/event_keys.hpp"
#include "pipeline/processor/operations/redrive.hpp"

namespace adtally::operations {
namespace {

// Clocks of clients and collectors may differ by so much.
constexpr std::int64_t clock_slack_ms = 10 * 60 * 1000;

std::string header_of(std::span<const eventlog::Header> headers, std::string_view name) {
    for (const eventlog::Header& header : headers)
        if (header.name == name)
            return header.value;
    return {};
}

}  // namespace

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

// One search: a reader, a decoder, and the rule of duplicates for each partition.
class EventTracer::Search {
public:
    Search(eventlog::Reader& reader, const TraceQuery& query, const EventTracer& tracer,
           Deadline deadline)
        : reader_(reader),
          query_(query),
          window_(tracer.dedup_window_),
          zone_(tracer.zone_),
          deadline_(deadline) {
        batch_.wants_headers = true;
        if (query.from)
            trace.searched_from = TimestampMs{query.from->value - window_.count()};
        else if (const auto made = uuid_v7_time(query.event_id))
            trace.searched_from = TimestampMs{made->value - clock_slack_ms};
    }

    Status partition(Partition partition) {
        ADTALLY_TRY(const auto ends, reader_.watermarks(partition));
        Offset at = ends.begin;
        if (trace.searched_from) {
            ADTALLY_TRY(const auto begin, reader_.offset_at(partition, *trace.searched_from));
            at = std::max(at, begin);
        }
        trace.retained = trace.retained && (at > ends.begin || ends.begin.value == 0);
        processor::Deduplicator seen{window_, processor::random_hash_key()};
        while (at < ends.end) {
            if (deadline_.passed()) {
                trace.complete = false;
                return ok();
            }
            ADTALLY_TRY(reader_.read(partition, at, ends.end, batch_));
            if (batch_.records.empty())
                break;  // offsets without records, up to the end
            for (std::size_t i = 0; i < batch_.records.size(); ++i) {
                const eventlog::FetchedRecord& record = batch_.records[i];
                if (query_.to && record.appended_at > *query_.to)
                    return ok();
                ++trace.searched;
                at = Offset{record.offset.value + 1};
                if (record.value.find(query_.event_id) != std::string_view::npos)
                    examine(partition, record, batch_.headers_of(i), seen);
            }
        }
        return ok();
    }

    Trace trace;

private:
    void examine(Partition partition, const eventlog::FetchedRecord& record,
                 std::span<const eventlog::Header> headers, processor::Deduplicator& seen) {
        TracedRecord found;
        found.position = {partition, record.offset};
        found.appended_at = record.appended_at;
        found.collector = header_of(headers, collector_header);
        found.traceparent = header_of(headers, "traceparent");
        found.redriven_from = header_of(headers, redriven_from_header);
        const auto rejection =
            decoder_.decode_stored(record.value, eventlog::value_padding, event_);
        if (rejection) {
            found.fate = Fate::dead_lettered;
            found.reason = fmt::format("{}: {}", rejection->code, rejection->message);
        } else if (event_.event_id != query_.event_id) {
            return;
        } else {
            bool first = seen.insert(event_.type, event_.event_id, record.appended_at);
            if (const auto since =
                    processor::late_since(event_.received_at, record.appended_at, window_))
                first = first && !stood_since(*since, partition);
            found.fate = first ? Fate::counted : Fate::duplicate;
            describe(found);
        }
        trace.records.push_back(std::move(found));
    }

    // Whether an earlier record of the same event stands there (history.hpp).
    bool stood_since(TimestampMs since, Partition partition) const {
        return std::any_of(trace.records.begin(), trace.records.end(), [&](const auto& each) {
            return each.position.partition == partition && each.appended_at >= since &&
                   each.type == domain::to_string(event_.type);
        });
    }

    void describe(TracedRecord& found) {
        found.type = domain::to_string(event_.type);
        found.ad = event_.ad_id.value;
        found.campaign = event_.campaign_id.value;
        found.received_at = event_.received_at;
        found.event_time = event_.timestamp;
        found.late = zone_.hour(event_.timestamp) < zone_.hour(found.appended_at);
        if (found.fate == Fate::counted)
            found.keys = keys_of(event_, zone_);
    }

    eventlog::Reader& reader_;
    const TraceQuery& query_;
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

Result<Trace> EventTracer::find(const TraceQuery& query, const CountedTo& counted_to,
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
    ADTALLY_TRY(const auto offsets, counted_to());
    for (TracedRecord& record : trace.records) {
        const auto index = static_cast<std::size_t>(record.position.partition.value);
        const auto stored = index < offsets.size() ? offsets[index] : std::nullopt;
        if (stored && record.position.offset < *stored)
            continue;
        record.fate = Fate::in_flight;
        record.keys.clear();
    }
    if (query.from)
        std::erase_if(trace.records,
                      [&](const TracedRecord& each) { return each.appended_at < *query.from; });
    std::stable_sort(trace.records.begin(), trace.records.end(),
                     [](const TracedRecord& left, const TracedRecord& right) {
                         return left.appended_at < right.appended_at;
                     });
    return trace;
}

}  // namespace adtally::operations
