#include "domain/object_reader.hpp"

#include <utility>

#include "domain/number_text.hpp"
#include "domain/text_scan.hpp"

namespace adtally::domain {
namespace {

bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

// A number or literal as it is written: simdjson's token reaches to the next one.
std::string_view scalar_text(ondemand::value& value) {
    return trimmed(value.raw_json_token());
}

// What is not written as it reads, or is not printable.
Text checked(simdjson::simdjson_result<std::string_view> unescaped) {
    std::string_view view;
    if (std::move(unescaped).get(view) != simdjson::SUCCESS)
        return {{}, Verdict::malformed_json};
    return {view, is_printable_utf8(view) ? Verdict::ok : Verdict::invalid_value};
}

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

// The scans end at the closing quote at the latest: stage 1 has seen it, and the padding is behind.
inline Text key_of(ondemand::field& member) {
    const char* begin = member.key().raw();
    const char* stop = find_certain_special(begin);
    if (*stop == '"') [[likely]]
        return {between(begin, stop), Verdict::ok};
    return checked(member.unescaped_key());
}

inline Text text_of(ondemand::value& value) {
    const char* begin = value.raw_json_token().data() + 1;
    const char* stop = find_certain_special(begin);
    if (*stop != '"') [[unlikely]]
        return checked(value.get_string());
    if (value.get_raw_json_string().error() != simdjson::SUCCESS)
        return {{}, Verdict::malformed_json};
    return {between(begin, stop), Verdict::ok};
}

// See the top of the header; other scalars may be left.
std::optional<Rejection> skip_text(Kind kind, ondemand::value& value) {
    if (kind == Kind::text && value.get_raw_json_string().error() != simdjson::SUCCESS)
        return malformed(simdjson::STRING_ERROR);
    return std::nullopt;
}

}  // namespace

Kind kind_of(char first) {
    switch (first) {
        case '"':
            return Kind::text;
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case 't':
        case 'f':
        case 'n':
            return Kind::literal;
        default:
            return first == '-' || (first >= '0' && first <= '9') ? Kind::number : Kind::none;
    }
}

Rejection malformed(simdjson::error_code error) {
    return reject_whole("malformed_json", std::string{"malformed JSON ("} +
                                              simdjson::error_message(error) +
                                              "); allowed: events as JSON objects in UTF-8");
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    return text;
}

std::optional<Rejection> ObjectReader::read(ondemand::object& object) {
    for (auto member_or_error : object) {
        if (auto error = member_or_error.error())
            return broken_by(error);
        ondemand::field&& member = std::move(member_or_error).value_unsafe();  // no copy
        if (auto rejection = read_member(member))
            return rejection;
    }
    return std::nullopt;
}

std::optional<Rejection> ObjectReader::read_member(ondemand::field& member) {
    Text key = key_of(member);
    ondemand::value& value = member.value();
    Kind kind = kind_of(value.raw_json_token().front());
    if (kind == Kind::none)
        return broken_by(simdjson::TAPE_ERROR);
    if (key.verdict == Verdict::malformed_json)
        return malformed(simdjson::STRING_ERROR);
    Field field = find_field(key.view);
    if (field == Field::received_at || field == Field::schema)
        field = mode_ == Mode::stored ? field : Field::unknown;
    if (field == Field::unknown) {
        switch (mode_) {
            case Mode::client_rejecting:
                return reject_unknown(key.view);
            case Mode::client_keeping:
                return key.verdict == Verdict::ok ? keep_unknown(key.view, kind, value)
                                                  : reject_unknown(key.view);
            case Mode::stored:
                return skip_text(kind, value);
        }
    }
    if (has(field))
        return reject(field, Verdict::duplicate_field);
    seen_ |= bit(field);
    if (field == Field::attributes && kind == Kind::object)
        return read_attributes(value);
    Verdict verdict = read_scalar(field, kind, value);
    if (verdict != Verdict::ok)
        return reject(field, verdict);
    return std::nullopt;
}

Verdict ObjectReader::read_scalar(Field field, Kind kind, ondemand::value& value) {
    switch (kind) {
        case Kind::text: {
            Text text = text_of(value);
            return text.verdict == Verdict::ok ? set_text(event_, field, text.view) : text.verdict;
        }
        case Kind::number: {
            Number number = read_number(scalar_text(value));
            switch (number.kind) {
                case NumberKind::integer:
                    return set_integer(event_, field, number.value);
                case NumberKind::too_large: {
                    // A text field refuses any number for its type.
                    Verdict verdict = set_integer(event_, field, 0);
                    return verdict == Verdict::wrong_type ? verdict : Verdict::out_of_range;
                }
                case NumberKind::fractional:
                    return Verdict::wrong_type;
                case NumberKind::malformed:
                    return Verdict::malformed_json;
            }
            return Verdict::malformed_json;
        }
        case Kind::literal: {
            std::string_view literal = scalar_text(value);
            bool required = field == Field::type || field == Field::ad_id ||
                            field == Field::campaign_id || field == Field::schema;
            if (literal == "null" && !required)
                return Verdict::ok;
            bool known = literal == "null" || literal == "true" || literal == "false";
            return known ? Verdict::wrong_type : Verdict::malformed_json;
        }
        case Kind::object:
        case Kind::array:
        case Kind::none:
            break;
    }
    return Verdict::wrong_type;
}

std::optional<Rejection> ObjectReader::read_attributes(ondemand::value& value) {
    ondemand::object object;
    if (auto error = value.get_object().get(object))
        return broken_by(error);
    for (auto member_or_error : object) {
        if (auto error = member_or_error.error())
            return broken_by(error);
        ondemand::field&& member = std::move(member_or_error).value_unsafe();  // no copy
        if (auto rejection = read_attribute(member))
            return rejection;
    }
    return std::nullopt;
}

std::optional<Rejection> ObjectReader::read_attribute(ondemand::field& member) {
    Text key = key_of(member);
    ondemand::value& value = member.value();
    Kind kind = kind_of(value.raw_json_token().front());
    if (kind == Kind::none)
        return broken_by(simdjson::TAPE_ERROR);
    Verdict verdict = key.verdict;
    if (verdict == Verdict::ok && kind != Kind::text)
        verdict = Verdict::wrong_type;
    if (verdict == Verdict::ok) {
        Text text = text_of(value);
        verdict =
            text.verdict == Verdict::ok ? add_attribute(event_, key.view, text.view) : text.verdict;
    }
    if (verdict != Verdict::ok)
        return reject_attribute(key.view, verdict);
    return std::nullopt;
}

std::optional<Rejection> ObjectReader::keep_unknown(std::string_view name, Kind kind,
                                                    ondemand::value& value) {
    // Names that the collector itself writes are never kept.
    if (find_field(name) != Field::unknown || kind == Kind::object || kind == Kind::array)
        return reject_unknown(name);
    Text text{scalar_text(value), Verdict::ok};
    if (kind == Kind::text)
        text = text_of(value);
    else if (kind == Kind::number && read_number(text.view).kind == NumberKind::malformed)
        text.verdict = Verdict::malformed_json;
    else if (kind == Kind::literal && text.view == "null")
        return std::nullopt;
    else if (kind == Kind::literal && text.view != "true" && text.view != "false")
        text.verdict = Verdict::malformed_json;
    Verdict verdict =
        text.verdict == Verdict::ok ? add_attribute(event_, name, text.view) : text.verdict;
    if (verdict != Verdict::ok)
        return reject_attribute(name, verdict);
    return std::nullopt;
}

}  // namespace adtally::domain
