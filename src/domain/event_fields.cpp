// Names and rules; the words for a refusal are in rejection.cpp.
#include "domain/event_fields.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>

#include "domain/number_text.hpp"

namespace adtally::domain {
namespace {

constexpr std::array<std::string_view, 19> names{
    "event_id",   "type",       "ad_id",     "campaign_id", "publisher_id", "slot_id",
    "session_id", "user_id",    "timestamp", "cost_micros", "value_micros", "currency",
    "page_url",   "user_agent", "ip",        "attributes",  "received_at",  "schema",
    "",
};

// `candidate` if that is the name.
Field if_named(std::string_view name, Field candidate) {
    return name == names[static_cast<std::size_t>(candidate)] ? candidate : Field::unknown;
}

Verdict set_bounded(std::string_view& into, std::string_view text, std::size_t most_bytes) {
    if (text.size() > most_bytes)
        return Verdict::too_long;
    into = text;
    return Verdict::ok;
}

Verdict set_event_id(Event& event, std::string_view text) {
    if (!is_event_id(text))
        return text.size() > limits::event_id_bytes ? Verdict::too_long : Verdict::invalid_value;
    event.event_id = text;
    return Verdict::ok;
}

// Dotted quads as they are usually written; inet_pton knows the others.
bool is_plain_ipv4(std::string_view text) {
    int parts = 0;
    for (std::size_t at = 0; at < text.size() && parts < 4; ++at) {
        const std::size_t begin = at;
        unsigned value = 0;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 3; ++at)
            value = value * 10 + static_cast<unsigned>(text[at] - '0');
        const bool has_leading_zero = text[begin] == '0' && at - begin > 1;
        if (at == begin || value > 255 || has_leading_zero)
            return false;
        ++parts;
        if (at == text.size())
            return parts == 4;
        if (text[at] != '.')
            return false;
    }
    return false;
}

Verdict set_ip(Event& event, std::string_view text) {
    std::array<char, limits::ip_bytes + 1> terminated{};
    if (text.size() > limits::ip_bytes)
        return Verdict::too_long;
    if (!text.empty() && !is_plain_ipv4(text)) {
        std::memcpy(terminated.data(), text.data(), text.size());
        std::array<unsigned char, 16> address;
        if (::inet_pton(AF_INET, terminated.data(), address.data()) != 1 &&
            ::inet_pton(AF_INET6, terminated.data(), address.data()) != 1)
            return Verdict::invalid_value;
    }
    event.ip = text;
    return Verdict::ok;
}

Verdict set_currency(Event& event, std::string_view text) {
    if (!is_currency(text))
        return Verdict::invalid_value;
    event.currency = text;
    return Verdict::ok;
}

Verdict set_integer_text(Event& event, Field field, std::string_view text) {
    Number number = read_number(text);
    switch (number.kind) {
        case NumberKind::integer:
            return text.front() == '-' ? Verdict::out_of_range
                                       : set_integer(event, field, number.value);
        case NumberKind::too_large:
            return Verdict::out_of_range;
        case NumberKind::fractional:
        case NumberKind::malformed:
            break;
    }
    return Verdict::invalid_value;
}

Verdict set_time_text(Event& event, Field field, std::string_view text) {
    if (text.size() < 5 || text[4] != '-')
        return set_integer_text(event, field, text);
    std::optional<TimestampMs> time = parse_rfc3339(text);
    return time ? set_integer(event, field, time->value) : Verdict::invalid_value;
}

template <class Id>
Verdict set_id(Id& into, std::int64_t integer) {
    if (integer < 1)
        return Verdict::out_of_range;
    into = Id{integer};
    return Verdict::ok;
}

Verdict set_micros(Micros& into, std::int64_t integer) {
    if (integer < 0 || integer > max_event_micros)
        return Verdict::out_of_range;
    into = Micros{integer};
    return Verdict::ok;
}

Verdict set_time(TimestampMs& into, std::int64_t integer) {
    if (integer < limits::min_timestamp_ms || integer > limits::max_timestamp_ms)
        return Verdict::out_of_range;
    into = TimestampMs{integer};
    return Verdict::ok;
}

}  // namespace

// The length and one letter single out a candidate, one comparison settles it.
Field find_field(std::string_view name) {
    switch (name.size()) {
        case 2:
            return if_named(name, Field::ip);
        case 4:
            return if_named(name, Field::type);
        case 5:
            return if_named(name, Field::ad_id);
        case 6:
            return if_named(name, Field::schema);
        case 7:
            return if_named(name, name[0] == 's' ? Field::slot_id : Field::user_id);
        case 8:
            if (name[0] == 'e')
                return if_named(name, Field::event_id);
            return if_named(name, name[0] == 'c' ? Field::currency : Field::page_url);
        case 9:
            return if_named(name, Field::timestamp);
        case 10:
            if (name[0] == 's')
                return if_named(name, Field::session_id);
            return if_named(name, name[0] == 'u' ? Field::user_agent : Field::attributes);
        case 11:
            if (name[1] == 'a')
                return if_named(name, Field::campaign_id);
            return if_named(name, name[0] == 'c' ? Field::cost_micros : Field::received_at);
        case 12:
            return if_named(name, name[0] == 'p' ? Field::publisher_id : Field::value_micros);
        default:
            return Field::unknown;
    }
}

std::string_view name_of(Field field) {
    return names[static_cast<std::size_t>(field)];
}

Verdict set_text(Event& event, Field field, std::string_view text) {
    switch (field) {
        case Field::event_id:
            return set_event_id(event, text);
        case Field::type:
            return parse_event_type(text, event.type) ? Verdict::ok : Verdict::invalid_value;
        case Field::ad_id:
        case Field::campaign_id:
        case Field::publisher_id:
        case Field::slot_id:
        case Field::cost_micros:
        case Field::value_micros:
            return set_integer_text(event, field, text);
        case Field::session_id:
            return set_bounded(event.session_id, text, limits::session_id_bytes);
        case Field::user_id:
            return set_bounded(event.user_id, text, limits::session_id_bytes);
        case Field::timestamp:
        case Field::received_at:
            return set_time_text(event, field, text);
        case Field::currency:
            return set_currency(event, text);
        case Field::page_url:
            return set_bounded(event.page_url, text, limits::page_url_bytes);
        case Field::user_agent:
            return set_bounded(event.user_agent, text, limits::user_agent_bytes);
        case Field::ip:
            return set_ip(event, text);
        case Field::attributes:
        case Field::schema:
        case Field::unknown:
            break;
    }
    return Verdict::wrong_type;
}

Verdict set_integer(Event& event, Field field, std::int64_t integer) {
    switch (field) {
        case Field::ad_id:
            return set_id(event.ad_id, integer);
        case Field::campaign_id:
            return set_id(event.campaign_id, integer);
        case Field::publisher_id:
            return set_id(event.publisher_id, integer);
        case Field::slot_id:
            return set_id(event.slot_id, integer);
        case Field::timestamp:
            return set_time(event.timestamp, integer);
        case Field::received_at:
            return set_time(event.received_at, integer);
        case Field::cost_micros:
            event.has_cost = true;
            return set_micros(event.cost, integer);
        case Field::value_micros:
            return set_micros(event.value, integer);
        case Field::schema:
            return integer == 1 ? Verdict::ok : Verdict::out_of_range;
        case Field::event_id:
        case Field::type:
        case Field::session_id:
        case Field::user_id:
        case Field::currency:
        case Field::page_url:
        case Field::user_agent:
        case Field::ip:
        case Field::attributes:
        case Field::unknown:
            break;
    }
    return Verdict::wrong_type;
}

Verdict add_attribute(Event& event, std::string_view name, std::string_view value) {
    if (name.empty())
        return Verdict::invalid_value;
    if (event.attributes.size() == limits::attribute_entries)
        return Verdict::too_long;
    std::size_t bytes = name.size() + value.size();
    for (const auto& [other_name, other_value] : event.attributes) {
        if (other_name == name)
            return Verdict::duplicate_field;
        bytes += other_name.size() + other_value.size();
    }
    if (bytes > limits::attribute_bytes)
        return Verdict::too_long;
    event.attributes.emplace_back(name, value);
    return Verdict::ok;
}

}  // namespace adtally::domain
