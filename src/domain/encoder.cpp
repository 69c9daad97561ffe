// Writes canonical JSON. A text without quote, backslash or control character (nearly every one) is
// one memcpy; the room for a whole event is made once.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/assert.hpp"
#include "domain/codec.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

// More than the names, numbers, times and punctuation of an event take without its texts.
constexpr std::size_t fixed_part_bytes = 640;
constexpr std::size_t attribute_punctuation_bytes = 6;
constexpr std::size_t longest_escape = 6;  // \u001f
constexpr std::size_t longest_integer = 20;
constexpr std::size_t rfc3339_bytes = 24;

// Writes into the string's own storage, which is longer than what is written until the end.
//
// Room is made once, for all that follows with its texts as they stand; a text that must be escaped
// makes more for itself. So the writes in between check nothing.
class Writer {
public:
    Writer(std::string& out, std::size_t room) : out_(out), used_(out.size()) {
        out_.resize(used_ + room);
        at_ = out_.data() + used_;
    }
    ~Writer() {
        used_ = static_cast<std::size_t>(at_ - out_.data());
        ADTALLY_ASSERT(used_ <= out_.size());
        out_.resize(used_);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    template <std::size_t size>
    void literal(const char (&text)[size]) {
        std::memcpy(at_, text, size - 1);
        at_ += size - 1;
    }

    void byte(char value) { *at_++ = value; }

    void raw(std::string_view text) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
    }

    void integer(std::int64_t number) {
        at_ = std::to_chars(at_, at_ + longest_integer, number).ptr;
    }

    void two_digits(std::uint32_t number) {
        at_[0] = static_cast<char>('0' + number / 10);
        at_[1] = static_cast<char>('0' + number % 10);
        at_ += 2;
    }

    void text(std::string_view content) {
        const char* begin = content.data();
        const char* end = begin + content.size();
        *at_++ = '"';
        const char* special = copy_until_special(begin, end, at_);
        at_ += special - begin;
        if (special != end)
            escaped_text(special, end);
        *at_++ = '"';
    }

private:
    void escaped_text(const char* begin, const char* end) {
        used_ = static_cast<std::size_t>(at_ - out_.data());
        out_.resize(out_.size() + static_cast<std::size_t>(end - begin) * longest_escape);
        at_ = out_.data() + used_;
        while (begin != end) {
            escape(*begin++);
            const char* special = copy_until_special(begin, end, at_);
            at_ += special - begin;
            begin = special;
        }
    }

    void escape(char byte) {
        switch (byte) {
            case '"':
                return literal("\\\"");
            case '\\':
                return literal("\\\\");
            case '\b':
                return literal("\\b");
            case '\f':
                return literal("\\f");
            case '\n':
                return literal("\\n");
            case '\r':
                return literal("\\r");
            case '\t':
                return literal("\\t");
            case 0x7F:  // JSON lets it stand
                return literal("\x7F");
        }
        literal("\\u00");
        *at_++ = "0123456789abcdef"[byte >> 4];
        *at_++ = "0123456789abcdef"[byte & 15];
    }

    std::string& out_;
    std::size_t used_;
    char* at_;
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
    auto year = static_cast<std::uint32_t>(static_cast<int>(date.year()));
    to.two_digits(year / 100);
    to.two_digits(year % 100);
    to.byte('-');
    to.two_digits(static_cast<unsigned>(date.month()));
    to.byte('-');
    to.two_digits(static_cast<unsigned>(date.day()));
    to.byte('T');
    to.two_digits(of_day / 3'600'000);
    to.byte(':');
    to.two_digits(of_day / 60'000 % 60);
    to.byte(':');
    to.two_digits(of_day / 1000 % 60);
    to.byte('.');
    to.byte(static_cast<char>('0' + of_day % 1000 / 100));
    to.two_digits(of_day % 100);
    to.byte('Z');
}

// `name` with its quotes, the comma before it and the colon.
template <std::size_t size>
void write_optional_text(const char (&name)[size], std::string_view text, Writer& to) {
    if (text.empty())
        return;
    to.literal(name);
    to.text(text);
}

template <std::size_t size>
void write_optional_integer(const char (&name)[size], std::int64_t number, Writer& to) {
    if (number == 0)
        return;
    to.literal(name);
    to.integer(number);
}

void write_attributes(const Event& event, Writer& to) {
    if (event.attributes.empty())
        return;
    to.literal(",\"attributes\":");
    char before = '{';
    for (const auto& [name, value] : event.attributes) {
        to.byte(before);
        to.text(name);
        to.byte(':');
        to.text(value);
        before = ',';
    }
    to.byte('}');
}

std::size_t room_for(const Event& event) {
    std::size_t bytes = fixed_part_bytes + event.event_id.size() + event.session_id.size() +
                        event.user_id.size() + event.currency.size() + event.page_url.size() +
                        event.user_agent.size() + event.ip.size();
    for (const auto& [name, value] : event.attributes)
        bytes += name.size() + value.size() + attribute_punctuation_bytes;
    return bytes;
}

}  // namespace

void append_canonical(const Event& event, std::string& out) {
    Writer to{out, room_for(event)};
    to.literal("{\"event_id\":");
    to.text(event.event_id);
    to.literal(",\"type\":\"");
    to.raw(to_string(event.type));
    to.literal("\",\"ad_id\":");
    to.integer(event.ad_id.value);
    to.literal(",\"campaign_id\":");
    to.integer(event.campaign_id.value);
    write_optional_integer(",\"publisher_id\":", event.publisher_id.value, to);
    write_optional_integer(",\"slot_id\":", event.slot_id.value, to);
    write_optional_text(",\"session_id\":", event.session_id, to);
    write_optional_text(",\"user_id\":", event.user_id, to);
    to.literal(",\"timestamp\":\"");
    write_rfc3339(event.timestamp, to);
    if (event.has_cost) {
        to.literal("\",\"cost_micros\":");
        to.integer(event.cost.value);
    } else {
        to.literal("\"");
    }
    write_optional_integer(",\"value_micros\":", event.value.value, to);
    to.literal(",\"currency\":");
    to.text(event.currency);
    write_optional_text(",\"page_url\":", event.page_url, to);
    write_optional_text(",\"user_agent\":", event.user_agent, to);
    write_optional_text(",\"ip\":", event.ip, to);
    write_attributes(event, to);
    to.literal(",\"received_at\":\"");
    write_rfc3339(event.received_at, to);
    to.literal("\",\"schema\":1}");
}

void append_json_string(std::string_view text, std::string& out) {
    Writer to{out, text.size() + 2};
    to.text(text);
}

void append_rfc3339(TimestampMs time, std::string& out) {
    Writer to{out, rfc3339_bytes};
    write_rfc3339(time, to);
}

}  // namespace adtally::domain
