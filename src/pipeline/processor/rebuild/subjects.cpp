#include "pipeline/processor/rebuild/subjects.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::rebuild {
namespace {

namespace keys = redis_sink::keys;
using Kind = Subject::Kind;

constexpr std::int64_t hours_a_day = 24;

bool in_scope(const Scope& scope, const Subject& subject) {
    switch (subject.kind) {
        case Kind::ad:
            return !scope.day && (!scope.ad || *scope.ad == subject.id);
        case Kind::campaign:
            return !scope.day && !scope.ad;
        case Kind::hour:
            return (!scope.ad || *scope.ad == subject.id) &&
                   (!scope.day || *scope.day == domain::day_of(domain::LocalHour{subject.bucket}));
        case Kind::day:
            return (!scope.ad || *scope.ad == subject.id) &&
                   (!scope.day || scope.day->value == subject.bucket);
    }
    return false;
}

// "2024-01-15T14"; as format_hour() writes it.
std::optional<domain::LocalHour> parse_hour(std::string_view text) {
    constexpr std::size_t day_length = 10;
    if (text.size() <= day_length)
        return std::nullopt;
    const auto day = domain::parse_day(text.substr(0, day_length));
    if (!day)
        return std::nullopt;
    for (std::int64_t hour = 0; hour < hours_a_day; ++hour)
        if (const domain::LocalHour at{day->value * hours_a_day + hour};
            domain::format_hour(at) == text)
            return at;
    return std::nullopt;
}

// The words between colons; empty ones behind the last.
std::array<std::string_view, 5> words_of(std::string_view key) {
    std::array<std::string_view, 5> words;
    for (std::string_view& word : words) {
        const std::size_t colon = key.find(':');
        word = key.substr(0, colon);
        key.remove_prefix(colon == std::string_view::npos ? key.size() : colon + 1);
    }
    return words;
}

// Nothing for a key of another form. Undated hours are not among them.
std::optional<Subject> subject_of(std::string_view key) {
    const auto [kind, metrics, id_text, third, fourth] = words_of(key);
    const auto id = domain::parse_decimal(id_text);
    if (metrics != "metrics" || !id)
        return std::nullopt;
    if (kind == "ad" && fourth.empty())
        return Subject{Kind::ad, *id};
    if (kind == "campaign" && fourth.empty())
        return Subject{Kind::campaign, *id};
    if (kind == "hourly") {
        if (const auto hour = parse_hour(third))
            return Subject{Kind::hour, *id, hour->value};
    } else if (kind == "daily") {
        if (const auto day = domain::parse_day(third))
            return Subject{Kind::day, *id, day->value};
    }
    return std::nullopt;
}

using Found = std::set<Subject>;

// Of the keys that say which day an undated hour holds: those hours, as dated ones.
Status add_held(redis::Client& client, const Scope& scope, std::span<const redis::Reply> names,
                Found& found) {
    std::vector<std::string_view> words{"MGET"};
    std::vector<std::array<std::string_view, 5>> parts;
    for (const redis::Reply& name : names) {
        const auto part = words_of(name.text);
        if (part[0] != "hourly" || part[4] != keys::day_held)
            continue;
        words.push_back(name.text);
        parts.push_back(part);
    }
    if (parts.empty())
        return ok();
    ADTALLY_TRY(const auto days, client.command(words));
    for (std::size_t i = 0; i < parts.size() && i < days.elements.size(); ++i) {
        const auto id = domain::parse_decimal(parts[i][2]);
        const auto hour = parse_hour(fmt::format("{}T{}", days.elements[i].text, parts[i][3]));
        if (!id || !hour)
            continue;
        if (const Subject subject{Kind::hour, *id, hour->value}; in_scope(scope, subject))
            found.insert(subject);
    }
    return ok();
}

Status add_stored(redis::Client& client, const Scope& scope, Found& found) {
    const std::string pattern =
        scope.ad ? fmt::format("*:metrics:{}:*", *scope.ad) : std::string("*:metrics:*");
    std::string cursor = "0";
    do {
        ADTALLY_TRY(const auto reply,
                    client.command({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}));
        if (reply.elements.size() != 2)
            return Error{ErrorCode::unavailable, "Redis refuses a SCAN: " + reply.text};
        cursor = reply.elements[0].text;
        const auto& names = reply.elements[1].elements;
        for (const redis::Reply& name : names)
            if (const auto subject = subject_of(name.text); subject && in_scope(scope, *subject))
                found.insert(*subject);
        ADTALLY_TRY(add_held(client, scope, names, found));
    } while (cursor != "0");
    return ok();
}

void add_counted(const Totals& totals, Found& found) {
    for (const auto& [id, values] : totals.ads)
        found.insert({Kind::ad, id});
    for (const auto& [id, values] : totals.campaigns)
        found.insert({Kind::campaign, id});
    for (const auto& [key, values] : totals.hours)
        found.insert({Kind::hour, key.first, key.second.value});
    for (const auto& [key, values] : totals.days)
        found.insert({Kind::day, key.first, key.second.value});
}

void add_named(const Scope& scope, Found& found) {
    if (!scope.ad)
        return;
    if (!scope.day) {
        found.insert({Kind::ad, *scope.ad});
        return;
    }
    found.insert({Kind::day, *scope.ad, scope.day->value});
    for (std::int64_t hour = 0; hour < hours_a_day; ++hour)
        found.insert({Kind::hour, *scope.ad, scope.day->value * hours_a_day + hour});
}

}  // namespace

std::string prefix_of(const Subject& subject) {
    switch (subject.kind) {
        case Kind::ad:
            return keys::entity(processor::Entity::ad, subject.id);
        case Kind::campaign:
            return keys::entity(processor::Entity::campaign, subject.id);
        case Kind::hour:
            return keys::dated_hour(subject.id, domain::LocalHour{subject.bucket});
        case Kind::day:
            return keys::daily(subject.id, domain::LocalDay{subject.bucket});
    }
    return {};
}

Result<std::vector<Subject>> subjects_of(redis::Client& client, const Recount& recount) {
    Found found;
    add_counted(recount.totals(), found);
    add_named(recount.scope(), found);
    ADTALLY_TRY(add_stored(client, recount.scope(), found));
    return std::vector<Subject>(found.begin(), found.end());
}

}  // namespace adtally::rebuild
