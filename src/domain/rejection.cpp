// The words of a refusal: which field, what is wrong, what is allowed.
#include "domain/event_fields.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

constexpr std::size_t shown_name_bytes = 64;

std::string_view allowed(Field field) {
    switch (field) {
        case Field::event_id:
            return "1 to 64 characters of A-Z a-z 0-9 . _ : -";
        case Field::type:
            return "\"impression\", \"click\" or \"conversion\"";
        case Field::ad_id:
        case Field::campaign_id:
        case Field::publisher_id:
        case Field::slot_id:
            return "an integer from 1 to 9223372036854775807, or the same as a decimal string";
        case Field::session_id:
        case Field::user_id:
            return "a string of at most 128 printable bytes";
        case Field::timestamp:
        case Field::received_at:
            return "RFC 3339 with an offset (\"2024-01-15T14:03:22.123Z\") or milliseconds since "
                   "1970 as an integer, from year 2000 to 9999";
        case Field::cost_micros:
        case Field::value_micros:
            return "an integer from 0 to 1000000000000, or the same as a decimal string";
        case Field::currency:
            return "an active ISO 4217 code such as \"USD\"";
        case Field::page_url:
            return "a string of at most 2048 printable bytes";
        case Field::user_agent:
            return "a string of at most 1024 printable bytes";
        case Field::ip:
            return "an IPv4 or IPv6 address";
        case Field::attributes:
            return "a flat object of at most 32 printable strings with names of their own, "
                   "4096 bytes of names and values in all";
        case Field::schema:
            return "1";
        case Field::unknown:
            break;
    }
    return "the documented fields";
}

std::string_view code_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "";
        case Verdict::malformed_json:
            return "malformed_json";
        case Verdict::wrong_type:
            return "wrong_type";
        case Verdict::out_of_range:
            return "out_of_range";
        case Verdict::too_long:
            return "too_long";
        case Verdict::invalid_value:
            return "invalid_value";
        case Verdict::missing_field:
            return "missing_field";
        case Verdict::duplicate_field:
            return "duplicate_field";
    }
    return "";
}

std::string_view what_is_wrong(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return " is right";
        case Verdict::malformed_json:
            return " is not valid JSON";
        case Verdict::wrong_type:
            return " has the wrong type";
        case Verdict::out_of_range:
            return " is out of range";
        case Verdict::too_long:
            return " is too long";
        case Verdict::invalid_value:
            return " has an invalid value";
        case Verdict::missing_field:
            return " is missing";
        case Verdict::duplicate_field:
            return " occurs twice";
    }
    return "";
}

// A name from outside, fit to be shown: bounded, control characters and broken UTF-8 replaced.
std::string shown(std::string_view name) {
    std::string text{name.substr(0, shown_name_bytes)};
    // Cut before the character that the limit goes through.
    if (name.size() > shown_name_bytes) {
        while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
            text.pop_back();
        if (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0)
            text.pop_back();
    }
    bool printable = is_printable_utf8(text);
    for (char& byte : text) {
        bool plain = byte >= 0x20 && byte < 0x7F;
        if (!plain && !printable)
            byte = '?';
    }
    if (name.size() > shown_name_bytes)
        text += "...";
    return text;
}

std::string message_for(std::string_view subject, Verdict verdict, Field field) {
    std::string message{subject};
    message += what_is_wrong(verdict);
    message += "; allowed: ";
    message += allowed(field);
    return message;
}

}  // namespace

Rejection reject(Field field, Verdict verdict) {
    std::string name{name_of(field)};
    std::string message = message_for(name, verdict, field);
    return {code_of(verdict), std::move(name), std::move(message)};
}

Rejection reject_attribute(std::string_view name, Verdict verdict) {
    std::string message = message_for("attributes." + shown(name), verdict, Field::attributes);
    return {code_of(verdict), "attributes", std::move(message)};
}

Rejection reject_unknown(std::string_view name) {
    std::string field = shown(name);
    std::string message = "unknown field '" + field +
                          "'; allowed: the documented fields; anything else belongs in "
                          "'attributes'";
    return {"unknown_field", std::move(field), std::move(message)};
}

Rejection reject_whole(std::string_view code, std::string message) {
    return {code, {}, std::move(message)};
}

}  // namespace adtally::domain
