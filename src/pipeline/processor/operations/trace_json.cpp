// How a trace is told: see event_trace.hpp.
#include <fmt/format.h>

#include "domain/codec.hpp"
#include "pipeline/processor/operations/event_trace.hpp"
#include "platform/observability/utf8.hpp"

namespace adtally::operations {
namespace {

std::string_view to_string(Fate fate) {
    switch (fate) {
        case Fate::counted:
            return "counted";
        case Fate::duplicate:
            return "duplicate";
        case Fate::dead_lettered:
            return "dead_lettered";
        case Fate::in_flight:
            return "in_flight";
    }
    return "";
}

class Writer {
public:
    void text(std::string_view name, std::string_view value) {
        if (value.empty())
            return;
        json += fmt::format(R"("{}":)", name);
        domain::append_json_string(observability::valid_utf8(value), json);
        json += ',';
    }
    void time(std::string_view name, TimestampMs value) {
        std::string rfc3339;
        domain::append_rfc3339(value, rfc3339);
        text(name, rfc3339);
    }
    template <class Value>
    void plain(std::string_view name, Value value) {
        json += fmt::format(R"("{}":{},)", name, value);
    }
    std::string json;
};

void write(Writer& out, const TracedRecord& record) {
    out.json += '{';
    out.text("state", to_string(record.fate));
    out.text("reason", record.reason);
    out.plain("partition", record.position.partition.value);
    out.plain("offset", record.position.offset.value);
    out.time("appended_at", record.appended_at);
    out.text("collector", record.collector);
    out.text("traceparent", record.traceparent);
    out.text("redriven_from", record.redriven_from);
    if (!record.type.empty()) {
        out.text("type", record.type);
        out.plain("ad_id", record.ad);
        out.plain("campaign_id", record.campaign);
        out.time("received_at", record.received_at);
        out.time("event_time", record.event_time);
        out.plain("late", record.late);
    }
    out.json += R"("keys":[)";
    for (const std::string& key : record.keys) {
        domain::append_json_string(key, out.json);
        out.json += ',';
    }
    if (out.json.back() == ',')
        out.json.pop_back();
    out.json += "]}";
}

std::string_view remedy_of(const Trace& trace) {
    if (!trace.complete)
        return "the search ended before the log did, by its time or after 1,000 records: narrow it "
               "by "
               "ad_id, from or to";
    if (!trace.records.empty())
        return "";
    if (!trace.retained)
        return "the event is not in what retention has left of the log";
    return "the event is not in the log: it was not acknowledged, waits in a collector's spool, "
           "or was appended before searched_from";
}

}  // namespace

std::string to_json(const TraceQuery& query, const Trace& trace) {
    Writer out;
    out.json = "{";
    out.text("event_id", query.event_id);
    out.plain("found", !trace.records.empty());
    out.text("note", remedy_of(trace));
    out.plain("searched_records", trace.searched);
    if (trace.searched_from)
        out.time("searched_from", *trace.searched_from);
    out.plain("complete", trace.complete);
    out.plain("retention_may_hide_records", !trace.retained);
    out.json += R"("records":[)";
    for (std::size_t i = 0; i < trace.records.size(); ++i) {
        if (i > 0)
            out.json += ',';
        write(out, trace.records[i]);
    }
    out.json += "]}";
    return std::move(out.json);
}

}  // namespace adtally::operations
