// Writes canonical JSON. A text without quote, backslash or control character (nearly every one) is
// one memcpy; the room for a whole event is made once.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

#include "domain/codec.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

// The names, numbers, times and punctuation of an event without its texts.
constexpr std::size_t fixed_part_bytes = 640;
constexpr std::size_t attribute_punctuation_bytes = 6;
constexpr std::size_t longest_escape = 6;  // \u001f
constexpr std::size_t longest_integer = 20;

// Writes into the string's own storage, which is longer than what is written until the end.
class Writer {
public:
    explicit Writer(std::string& out) : out_(out), used_(out.size()) {}
    ~Writer() { out_.resize(used_); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void make_room(std::size_t bytes) {
        if (out_.size() - used_ < bytes)
            out_.resize(used_ + bytes);
    }

    void raw(std::string_view text) {
        if (text.empty())  // its data may be null
            return;
        make_room(text.size());
        std::memcpy(out_.data() + used_, text.data(), text.size());
        used_ += text.size();
    }

    void integer(std::int64_t number) {
        make_room(longest_integer);
        char* begin = out_.data() + used_;
        used_ += static_cast<std::size_t>(
            std::to_chars(begin, begin + longest_integer, number).ptr - begin);
    }

    void digits(std::uint32_t number, std::size_t width) {
        make_room(width);
        for (std::size_t place = width; place-- > 0; number /= 10)
            out_[used_ + place] = static_cast<char>('0' + number % 10);
        used_ += width;
    }

    void text(std::string_view content) {
        const char* begin = content.data();
        const char* end = begin + content.size();
        raw("\"");
        for (;;) {
            const char* special = find_special(begin, end);
            raw({begin, static_cast<std::size_t>(special - begin)});
            if (special == end)
                break;
            escape(*special);
            begin = special + 1;
        }
        raw("\"");
    }

private:
    void escape(char byte) {
        switch (byte) {
            case '"':
                return raw("\\\"");
            case '\\':
                return raw("\\\\");
            case '\b':
                return raw("\\b");
            case '\f':
                return raw("\\f");
            case '\n':
                return raw("\\n");
            case '\r':
                return raw("\\r");
            case '\t':
                return raw("\\t");
            case 0x7F:  // JSON lets it stand
                return raw("\x7F");
        }
        char escaped[longest_escape] = {'\\', 'u', '0', '0', '0', '0'};
        escaped[4] = "0123456789abcdef"[byte >> 4];
        escaped[5] = "0123456789abcdef"[byte & 15];
        raw({escaped, sizeof escaped});
    }

    std::string& out_;
    std::size_t used_;
};

// Years outside of 0…9999 have no RFC 3339: the nearest moment that has.
std::int64_t clamp_to_rfc3339(std::int64_t time_ms) {
    constexpr std::int64_t year_0 = -62'167'219'200'000;
    return std::min(std::max(time_ms, year_0), limits::max_timestamp_ms);
}

void write_rfc3339(TimestampMs time, Writer& to) {
    using namespace std::chrono;
    sys_time<milliseconds> moment{milliseconds{clamp_to_rfc3339(time.value)}};
    auto day = floor<days>(moment);
    year_month_day date{day};
    auto of_day = static_cast<std::uint32_t>((moment - day).count());
    to.digits(static_cast<std::uint32_t>(static_cast<int>(date.year())), 4);
    to.raw("-");
    to.digits(static_cast<unsigned>(date.month()), 2);
    to.raw("-");
    to.digits(static_cast<unsigned>(date.day()), 2);
    to.raw("T");
    to.digits(of_day / 3'600'000, 2);
    to.raw(":");
    to.digits(of_day / 60'000 % 60, 2);
    to.raw(":");
    to.digits(of_day / 1000 % 60, 2);
    to.raw(".");
    to.digits(of_day % 1000, 3);
    to.raw("Z");
}

// `name` with its quotes, the comma before it and the colon.
void write_optional_text(std::string_view name, std::string_view text, Writer& to) {
    if (text.empty())
        return;
    to.raw(name);
    to.text(text);
}

void write_optional_integer(std::string_view name, std::int64_t number, Writer& to) {
    if (number == 0)
        return;
    to.raw(name);
    to.integer(number);
}

void write_attributes(const Event& event, Writer& to) {
    if (event.attributes.empty())
        return;
    std::string_view before = ",\"attributes\":{";
    for (const auto& [name, value] : event.attributes) {
        to.raw(before);
        to.text(name);
        to.raw(":");
        to.text(value);
        before = ",";
    }
    to.raw("}");
}

std::size_t likely_bytes(const Event& event) {
    std::size_t bytes = fixed_part_bytes + event.event_id.size() + event.session_id.size() +
                        event.user_id.size() + event.page_url.size() + event.user_agent.size() +
                        event.ip.size();
    for (const auto& [name, value] : event.attributes)
        bytes += name.size() + value.size() + attribute_punctuation_bytes;
    return bytes;
}

}  // namespace

void append_canonical(const Event& event, std::string& out) {
    Writer to{out};
    to.make_room(likely_bytes(event));
    to.raw("{\"event_id\":");
    to.text(event.event_id);
    to.raw(",\"type\":\"");
    to.raw(to_string(event.type));
    to.raw("\",\"ad_id\":");
    to.integer(event.ad_id.value);
    to.raw(",\"campaign_id\":");
    to.integer(event.campaign_id.value);
    write_optional_integer(",\"publisher_id\":", event.publisher_id.value, to);
    write_optional_integer(",\"slot_id\":", event.slot_id.value, to);
    write_optional_text(",\"session_id\":", event.session_id, to);
    write_optional_text(",\"user_id\":", event.user_id, to);
    to.raw(",\"timestamp\":\"");
    write_rfc3339(event.timestamp, to);
    if (event.has_cost) {
        to.raw("\",\"cost_micros\":");
        to.integer(event.cost.value);
    } else {
        to.raw("\"");
    }
    write_optional_integer(",\"value_micros\":", event.value.value, to);
    to.raw(",\"currency\":");
    to.text(event.currency);
    write_optional_text(",\"page_url\":", event.page_url, to);
    write_optional_text(",\"user_agent\":", event.user_agent, to);
    write_optional_text(",\"ip\":", event.ip, to);
    write_attributes(event, to);
    to.raw(",\"received_at\":\"");
    write_rfc3339(event.received_at, to);
    to.raw("\",\"schema\":1}");
}

void append_json_string(std::string_view text, std::string& out) {
    Writer to{out};
    to.make_room(text.size() + 2);
    to.text(text);
}

void append_rfc3339(TimestampMs time, std::string& out) {
    Writer to{out};
    write_rfc3339(time, to);
}

}  // namespace adtally::domain
