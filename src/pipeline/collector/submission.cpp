#include "pipeline/collector/submission.hpp"

#include <charconv>

#include "domain/codec.hpp"

namespace adtally::collector {
namespace {

// No valid event is larger: its texts are 7.5 KiB at most and escaping can double them.
constexpr std::size_t largest_event_bytes = 32u << 10;
constexpr std::size_t largest_key_bytes = 20;

// Bytes of a UTF-8 text up to `limit` that do not end inside a character.
std::string_view cut(std::string_view text, std::size_t limit) {
    if (text.size() <= limit)
        return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80)
        --limit;
    return text.substr(0, limit);
}

std::string_view clean(std::string_view text, std::string& scratch) {
    scratch.assign(text);
    for (char& c : scratch) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f)
            c = '?';
    }
    return scratch;
}

}  // namespace

RequestDefaults defaults_of(const http::Request& request, std::string& scratch) {
    RequestDefaults defaults;
    defaults.ip = request.client_ip.substr(0, domain::limits::ip_bytes);
    std::string_view agent =
        cut(request.header("user-agent").value_or(""), domain::limits::user_agent_bytes);
    defaults.user_agent = domain::is_printable_utf8(agent) ? agent : clean(agent, scratch);
    return defaults;
}

Encoder::Encoder(std::size_t max_record_bytes)
    : max_record_bytes_(max_record_bytes), must_measure_(max_record_bytes < largest_event_bytes) {}

std::optional<domain::Rejection> Encoder::add(Lane& lane, const RequestDefaults& defaults,
                                              TimestampMs now, Submission& into) const {
    domain::Event& event = lane.event;
    if (event.event_id.empty())
        event.event_id = lane.ids.next(now);
    if (event.timestamp.value == 0)
        event.timestamp = now;
    event.received_at = now;
    if (event.user_agent.empty())
        event.user_agent = defaults.user_agent;
    if (event.ip.empty())
        event.ip = defaults.ip;

    char key[largest_key_bytes];
    char* key_end = std::to_chars(key, key + sizeof key, event.ad_id.value).ptr;
    std::string_view ad(key, static_cast<std::size_t>(key_end - key));
    // The first record, mostly the only one, is encoded apart: a batch of the exact size is small
    // enough for the allocator's quick paths.
    if (must_measure_ || into.records.empty()) {
        lane.encoded.clear();
        domain::append_canonical(event, lane.encoded);
        if (lane.encoded.size() + ad.size() > max_record_bytes_)
            return domain::Rejection{"event_too_large", "",
                                     "the event is larger than the " +
                                         std::to_string(max_record_bytes_) +
                                         " bytes that the event log takes"};
        into.records.reserve(1, ad.size() + lane.encoded.size());
        into.records.add(ad, lane.encoded);
    } else {
        domain::append_canonical(event, into.records.begin_value(ad));
        into.records.end_value();
    }
    into.counts.add(event.type);
    into.event_id.assign(event.event_id);
    return std::nullopt;
}

}  // namespace adtally::collector
