#include "pipeline/processor/rebuild/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::rebuild {
namespace {

namespace keys = redis_sink::keys;

constexpr std::size_t chunk_subjects = 200;
constexpr std::string_view shadow_ttl_s = "3600";
constexpr std::size_t cost_member = 3;
constexpr std::int64_t hour_s = 3'600;

std::array<std::int64_t*, 5> counters_of(domain::MetricDelta& values) {
    return {&values.impressions, &values.clicks, &values.conversions, &values.cost.value,
            &values.value.value};
}

std::int64_t number_of(const redis::Reply& reply) {
    return reply.is_nil() ? 0 : domain::parse_decimal(reply.text).value_or(0);
}

// The id in "ad:metrics:17:clicks".
std::optional<std::int64_t> id_in(std::string_view key, std::string_view prefix) {
    key.remove_prefix(std::min(prefix.size(), key.size()));
    return domain::parse_decimal(key.substr(0, key.find(':')));
}

}  // namespace

Comparison::Comparison(redis::Client& client, Recount& recount, const Clock& clock,
                       ComparisonOptions options)
    : client_(client), recount_(recount), clock_(clock), options_(std::move(options)) {}

Result<ComparisonReport> Comparison::run() {
    ADTALLY_TRY(const auto counted_from, bases());
    partitions_ = static_cast<std::int32_t>(counted_from.size());
    reached_ = counted_from;
    ADTALLY_TRY(recount_.open(counted_from));
    shadow_key_ = keys::rebuild(std::to_string(clock_.wall().value));
    // First to where Redis is now: that is the long part. The chunks only add what came meanwhile.
    ADTALLY_TRY(compare({}));
    ADTALLY_TRY(const auto all, subjects());
    for (std::size_t at = 0; at < all.size(); at += chunk_subjects) {
        ADTALLY_TRY(compare(std::span(all).subspan(at, std::min(chunk_subjects, all.size() - at))));
    }
    if (report_.differences > 0)
        report_.shadow_key = shadow_key_;
    return report_;
}

// The books say where counting began.
Result<std::vector<std::optional<Offset>>> Comparison::bases() {
    std::vector<std::optional<Offset>> all;
    ADTALLY_TRY(const auto partitions, recount_.partitions());
    for (Partition at{0}; at.value < partitions; ++at.value) {
        ADTALLY_TRY(const auto base,
                    client_.command({"HGET", keys::books(options_.topic, at), "base"}));
        if (base.is_error())
            return Error{ErrorCode::unavailable, "Redis refuses the books: " + base.text};
        all.push_back(base.is_nil() ? std::nullopt : std::optional{Offset{number_of(base)}});
    }
    return all;
}

Result<std::vector<Comparison::Subject>> Comparison::subjects() {
    using Kind = Subject::Kind;
    const Totals& totals = recount_.totals();
    std::vector<Subject> all;
    for (const auto& [id, values] : totals.ads)
        all.push_back({Kind::ad, id});
    for (const auto& [id, values] : totals.campaigns)
        all.push_back({Kind::campaign, id});
    for (const auto& [key, values] : totals.hours)
        all.push_back({Kind::hour, key.first, key.second.value});
    for (const auto& [key, values] : totals.days)
        all.push_back({Kind::day, key.first, key.second.value});
    const Scope& scope = recount_.scope();
    if (!scope.ad && !scope.day) {
        ADTALLY_TRY(add_stored_ids(all));
    } else if (scope.ad && !scope.day && totals.ads.empty()) {
        all.push_back({Kind::ad, *scope.ad});
    }
    return all;
}

// Ads and campaigns that Redis knows and the log does not.
Status Comparison::add_stored_ids(std::vector<Subject>& all) {
    using Kind = Subject::Kind;
    const Totals& totals = recount_.totals();
    std::set<std::pair<Kind, std::int64_t>> found;
    for (const auto& [kind, prefix] :
         {std::pair{Kind::ad, "ad:metrics:"}, std::pair{Kind::campaign, "campaign:metrics:"}}) {
        std::string cursor = "0";
        do {
            ADTALLY_TRY(const auto reply,
                        client_.command(
                            {"SCAN", cursor, "MATCH", std::string(prefix) + "*", "COUNT", "1000"}));
            if (reply.elements.size() != 2)
                return Error{ErrorCode::unavailable, "Redis refuses a SCAN: " + reply.text};
            cursor = reply.elements[0].text;
            for (const redis::Reply& key : reply.elements[1].elements)
                if (const auto id = id_in(key.text, prefix))
                    found.emplace(kind, *id);
        } while (cursor != "0");
    }
    for (const auto& [kind, id] : found) {
        const auto& known = kind == Kind::ad ? totals.ads : totals.campaigns;
        if (!known.contains(id))
            all.push_back({kind, id});
    }
    return ok();
}

Status Comparison::compare(std::span<const Subject> chunk) {
    std::vector<std::string> names;
    for (Partition at{0}; at.value < partitions_; ++at.value)
        names.push_back(keys::offset(options_.topic, at));
    for (const Subject& subject : chunk)
        for (const std::string_view counter : keys::counters)
            names.push_back(prefix_of(subject) + std::string(counter));
    std::vector<std::string_view> words{"MGET"};
    words.insert(words.end(), names.begin(), names.end());
    ADTALLY_TRY(const auto reply, client_.command(words));
    if (reply.elements.size() != names.size())
        return Error{ErrorCode::unavailable, "Redis refuses the counts: " + reply.text};
    ADTALLY_TRY(const auto offsets, offsets_in(std::span(reply.elements).first(reached_.size())));
    ADTALLY_TRY(recount_.advance_to(offsets));

    redis_sink::Corrections corrections;
    std::vector<std::string> shadow;
    std::size_t at = offsets.size();
    for (const Subject& subject : chunk) {
        domain::MetricDelta stored;
        bool any = false;
        for (std::int64_t* counter : counters_of(stored)) {
            any = any || !reply.elements[at].is_nil();
            *counter = number_of(reply.elements[at++]);
        }
        if (!any && expired(subject))
            continue;
        const domain::MetricDelta delta = difference_of(subject, stored, shadow);
        if (delta.is_zero())
            continue;
        switch (subject.kind) {
            case Subject::Kind::ad:
                corrections.ads.push_back({subject.id, delta});
                break;
            case Subject::Kind::campaign:
                corrections.campaigns.push_back({subject.id, delta});
                break;
            case Subject::Kind::hour:
                corrections.hours.push_back(
                    {subject.id, domain::LocalHour{subject.bucket}, delta, {}});
                break;
            case Subject::Kind::day:
                corrections.days.push_back({subject.id, domain::LocalDay{subject.bucket}, delta});
                break;
        }
    }
    return keep(shadow, corrections);
}

Result<std::vector<Offset>> Comparison::offsets_in(std::span<const redis::Reply> replies) {
    std::vector<Offset> offsets;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        const Offset now{number_of(replies[i])};
        if (reached_[i] ? now < *reached_[i] : !replies[i].is_nil())
            return Error{ErrorCode::conflict,
                         fmt::format("partition {} {} meanwhile: compare anew", i,
                                     reached_[i] ? "was set back, Redis lost its newest writes"
                                                 : "began to be counted")};
        if (reached_[i])
            reached_[i] = now;
        offsets.push_back(now);
    }
    return offsets;
}

Status Comparison::keep(const std::vector<std::string>& shadow,
                        const redis_sink::Corrections& corrections) {
    if (shadow.empty())
        return ok();
    std::vector<std::string_view> words{"HSET", shadow_key_};
    words.insert(words.end(), shadow.begin(), shadow.end());
    ADTALLY_TRY(const auto written, client_.command(words));
    ADTALLY_TRY(const auto aged, client_.command({"EXPIRE", shadow_key_, shadow_ttl_s}));
    if (written.is_error() || aged.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the shadow: " + written.text};
    if (!options_.apply || corrections.empty())
        return ok();
    ADTALLY_TRY(redis_sink::apply_corrections(client_, shadow_key_, corrections));
    for (const auto& each : corrections.ads)
        report_.corrected += counters_in(each.delta);
    for (const auto& each : corrections.campaigns)
        report_.corrected += counters_in(each.delta);
    for (const auto& each : corrections.hours)
        report_.corrected += counters_in(each.delta);
    for (const auto& each : corrections.days)
        report_.corrected += counters_in(each.delta);
    return ok();
}

std::int64_t Comparison::counters_in(domain::MetricDelta delta) {
    const auto counters = counters_of(delta);
    return std::count_if(counters.begin(), counters.end(),
                         [](const std::int64_t* each) { return *each != 0; });
}

domain::MetricDelta Comparison::recounted(const Subject& subject) const {
    const Totals& totals = recount_.totals();
    const auto value = [](const auto& map, const auto& key) {
        const auto found = map.find(key);
        return found == map.end() ? domain::MetricDelta{} : found->second;
    };
    switch (subject.kind) {
        case Subject::Kind::ad:
            return value(totals.ads, subject.id);
        case Subject::Kind::campaign:
            return value(totals.campaigns, subject.id);
        case Subject::Kind::hour:
            return value(totals.hours, std::pair{subject.id, domain::LocalHour{subject.bucket}});
        case Subject::Kind::day:
            return value(totals.days, std::pair{subject.id, domain::LocalDay{subject.bucket}});
    }
    return {};
}

// Nothing is stored, and it is so old that Redis may have let it go.
bool Comparison::expired(const Subject& subject) const {
    const std::int64_t now = clock_.wall().value / 1000;
    switch (subject.kind) {
        case Subject::Kind::ad:
        case Subject::Kind::campaign:
            return false;
        case Subject::Kind::hour:
            return now - subject.bucket * hour_s > keys::dated_hour_ttl - 24 * hour_s;
        case Subject::Kind::day:
            return now - subject.bucket * 24 * hour_s > keys::daily_ttl - 24 * hour_s;
    }
    return false;
}

// What must be added; what may not be is left 0.
domain::MetricDelta Comparison::difference_of(const Subject& subject,
                                              const domain::MetricDelta& stored,
                                              std::vector<std::string>& shadow) {
    domain::MetricDelta had = stored;
    domain::MetricDelta wanted = recounted(subject);
    domain::MetricDelta delta;
    const auto from = counters_of(had);
    const auto to = counters_of(wanted);
    const auto into = counters_of(delta);
    for (std::size_t m = 0; m < from.size(); ++m) {
        ++report_.counters;
        if (*from[m] == *to[m])
            continue;
        ++report_.differences;
        const std::string key = prefix_of(subject) + std::string(keys::counters[m]);
        if (options_.on_difference)
            options_.on_difference({key, *from[m], *to[m]});
        shadow.push_back(key);
        shadow.push_back(std::to_string(*to[m]));
        if (m == cost_member && recount_.has_bids() && !options_.reprice)
            ++report_.unpriced;
        else
            *into[m] = *to[m] - *from[m];
    }
    return delta;
}

std::string Comparison::prefix_of(const Subject& subject) {
    switch (subject.kind) {
        case Subject::Kind::ad:
            return keys::entity(processor::Entity::ad, subject.id);
        case Subject::Kind::campaign:
            return keys::entity(processor::Entity::campaign, subject.id);
        case Subject::Kind::hour:
            return keys::dated_hour(subject.id, domain::LocalHour{subject.bucket});
        case Subject::Kind::day:
            return keys::daily(subject.id, domain::LocalDay{subject.bucket});
    }
    return {};
}

}  // namespace adtally::rebuild
