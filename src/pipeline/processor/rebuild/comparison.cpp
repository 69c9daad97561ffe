#include "pipeline/processor/rebuild/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "pipeline/processor/rebuild/preconditions.hpp"
#include "pipeline/processor/redis_sink/dead_lettered.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::rebuild {
namespace {

namespace keys = redis_sink::keys;
using Kind = Subject::Kind;

constexpr std::size_t chunk_subjects = 200;
constexpr std::string_view shadow_ttl_s = "3600";
constexpr std::size_t all_members = std::size(keys::counters);
constexpr std::size_t undated_members = 3;  // no money
constexpr std::size_t cost_member = 3;
constexpr std::int64_t hour_s = 3'600;
// An undated hour expires 48 hours after its last write; an hour for a change of the clocks, one
// for events of the future.
constexpr std::int64_t undated_certain_h = 46;

std::array<std::int64_t*, all_members> counters_of(domain::MetricDelta& values) {
    return {&values.impressions, &values.clicks, &values.conversions, &values.cost.value,
            &values.value.value};
}

Result<std::int64_t> number_of(const redis::Reply& reply, std::string_view key) {
    if (reply.is_nil())
        return 0;
    std::int64_t number = 0;
    const char* end = reply.text.data() + reply.text.size();
    const auto parsed = std::from_chars(reply.text.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end)
        return Error{ErrorCode::invalid_argument,
                     fmt::format("{} holds something that is not a count: rename it away", key)};
    return number;
}

// What one reading asks for, of a subject: its counters; of an hour, those of the undated one and
// the day that it holds, too.
void add_names(const Subject& subject, std::vector<std::string>& names) {
    for (const std::string_view counter : keys::counters)
        names.push_back(prefix_of(subject) + std::string(counter));
    if (subject.kind != Kind::hour)
        return;
    const std::string undated = keys::hour_of_day(subject.id, domain::LocalHour{subject.bucket});
    for (std::size_t m = 0; m < undated_members; ++m)
        names.push_back(undated + std::string(keys::counters[m]));
    names.push_back(undated + std::string(keys::day_held));
}

std::size_t names_of(const Subject& subject) {
    return subject.kind == Kind::hour ? all_members + undated_members + 1 : all_members;
}

}  // namespace

Comparison::Comparison(redis::Client& client, Recount& recount, const Clock& clock,
                       ComparisonOptions options)
    : client_(client),
      recount_(recount),
      clock_(clock),
      options_(std::move(options)),
      lease_(client, keys::rebuild_lease(options_.topic), clock) {}

Result<ComparisonReport> Comparison::run() {
    ADTALLY_TRY(log_, recount_.topic());
    ADTALLY_TRY(check_binding(client_, log_, options_.rules, recount_.needs_from()));
    ADTALLY_TRY(const auto counted_from, bases());
    ADTALLY_TRY(check_counted(client_, log_, counted_from));
    if (options_.apply) {
        ADTALLY_TRY(lease_.take());
    }
    reached_ = counted_from;
    ADTALLY_TRY(recount_.open(counted_from));
    for (Partition at{0}; at.value < log_.partitions; ++at.value) {
        ADTALLY_TRY(recall(at, Offset{0}));
    }
    shadow_key_ = keys::rebuild(std::to_string(clock_.wall().value));
    // First to where Redis is now: that is the long part. The chunks only add what came meanwhile.
    ADTALLY_TRY(compare({}));
    ADTALLY_TRY(const auto all, subjects_of(client_, recount_));
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
    for (Partition at{0}; at.value < log_.partitions; ++at.value) {
        const std::string key = keys::books(options_.topic, at);
        ADTALLY_TRY(const auto base, client_.command({"HGET", key, "base"}));
        if (base.is_error())
            return Error{ErrorCode::unavailable, "Redis refuses the books: " + base.text};
        ADTALLY_TRY(const auto offset, number_of(base, key));
        all.push_back(base.is_nil() ? std::nullopt : std::optional{Offset{offset}});
    }
    return all;
}

// What was dead-lettered then is no event, though today's decoder may take it for one.
Status Comparison::recall(Partition partition, Offset from) {
    ADTALLY_TRY(const auto letters,
                redis_sink::read_dead_lettered(client_, options_.topic, partition, from));
    recount_.recall(partition, letters);
    return ok();
}

Status Comparison::compare(std::span<const Subject> chunk) {
    std::vector<std::string> names;
    for (Partition at{0}; at.value < log_.partitions; ++at.value)
        names.push_back(keys::offset(options_.topic, at));
    for (const Subject& subject : chunk)
        add_names(subject, names);
    std::vector<std::string_view> words{"MGET"};
    words.insert(words.end(), names.begin(), names.end());
    ADTALLY_TRY(lease_.renew());
    ADTALLY_TRY(const auto reply, client_.command(words));
    if (reply.elements.size() != names.size())
        return Error{ErrorCode::unavailable, "Redis refuses the counts: " + reply.text};
    // Asked after the reading: so long as it is right now, what was read was counted by our rules.
    ADTALLY_TRY(check_binding(client_, log_, options_.rules, recount_.needs_from()));
    std::span<const redis::Reply> left(reply.elements);
    ADTALLY_TRY(const auto offsets, offsets_in(left.first(reached_.size())));
    left = left.subspan(reached_.size());
    for (Partition at{0}; at.value < log_.partitions; ++at.value) {
        ADTALLY_TRY(recall(at, recount_.next(at)));
    }
    ADTALLY_TRY(recount_.advance_to(offsets, [this] { return lease_.renew(); }));
    Found found;
    for (const Subject& subject : chunk) {
        ADTALLY_TRY(compare_one(subject, left.first(names_of(subject)), found));
        left = left.subspan(names_of(subject));
    }
    return keep(found);
}

Result<std::vector<Offset>> Comparison::offsets_in(std::span<const redis::Reply> replies) {
    std::vector<Offset> offsets;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        ADTALLY_TRY(const auto number, number_of(replies[i], "an offset"));
        if (reached_[i] && replies[i].is_nil())
            return Error{
                ErrorCode::conflict,
                fmt::format("{} is missing although its partition was counted: a processor's "
                            "log and health say how to mend it, then compare",
                            keys::offset(options_.topic, Partition{static_cast<std::int32_t>(i)}))};
        const Offset now{number};
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

// `stored`: as add_names() asks.
Status Comparison::compare_one(const Subject& subject, std::span<const redis::Reply> stored,
                               Found& found) {
    const auto own = stored.first(all_members);
    if (expired(subject) &&
        std::all_of(own.begin(), own.end(), [](const redis::Reply& each) { return each.is_nil(); }))
        return ok();
    domain::MetricDelta values;
    const auto counters = counters_of(values);
    for (std::size_t m = 0; m < all_members; ++m) {
        ADTALLY_TRY(*counters[m],
                    number_of(own[m], prefix_of(subject) + std::string(keys::counters[m])));
    }
    ADTALLY_TRY(const auto delta, difference_of(subject, values, found));
    redis_sink::Corrections& corrections = found.corrections;
    switch (subject.kind) {
        case Kind::ad:
            if (!delta.is_zero())
                corrections.ads.push_back({subject.id, delta});
            break;
        case Kind::campaign:
            if (!delta.is_zero())
                corrections.campaigns.push_back({subject.id, delta});
            break;
        case Kind::hour: {
            ADTALLY_TRY(const auto undated,
                        undated_differs(subject, stored.subspan(all_members), found));
            if (undated || !delta.is_zero())
                corrections.hours.push_back(
                    {subject.id, domain::LocalHour{subject.bucket}, delta, recent(subject)});
            break;
        }
        case Kind::day:
            if (!delta.is_zero())
                corrections.days.push_back({subject.id, domain::LocalDay{subject.bucket}, delta});
            break;
    }
    return ok();
}

Result<domain::MetricDelta> Comparison::difference_of(const Subject& subject,
                                                      const domain::MetricDelta& stored,
                                                      Found& found) {
    domain::MetricDelta had = stored;
    domain::MetricDelta wanted = recounted(subject);
    domain::MetricDelta delta;
    const auto from = counters_of(had);
    const auto to = counters_of(wanted);
    const auto into = counters_of(delta);
    for (std::size_t m = 0; m < all_members; ++m) {
        ++report_.counters;
        if (*from[m] == *to[m])
            continue;
        const std::string key = prefix_of(subject) + std::string(keys::counters[m]);
        std::int64_t difference = 0;
        if (__builtin_sub_overflow(*to[m], *from[m], &difference))
            return Error{
                ErrorCode::invalid_argument,
                fmt::format("{} holds {}, too far from {}: rename it away", key, *from[m], *to[m])};
        note(key, *from[m], *to[m], found);
        if (m == cost_member && recount_.has_bids() && !options_.reprice) {
            ++report_.unpriced;
        } else {
            *into[m] = difference;
            ++found.correctable;
        }
    }
    return delta;
}

// The undated hour holds the newest day that had events in it.
Result<bool> Comparison::undated_differs(const Subject& hour, std::span<const redis::Reply> stored,
                                         Found& found) {
    const domain::LocalHour local{hour.bucket};
    const std::string day = domain::format_day(domain::day_of(local));
    const std::string& held = stored[undated_members].text;
    domain::MetricDelta wanted = recounted(hour);
    // Nothing is held of what had no events.
    if (!recent(hour) || held > day || (held < day && wanted.is_zero()))
        return false;
    bool differs = false;
    for (std::size_t m = 0; m < undated_members; ++m) {
        const std::string key = keys::hour_of_day(hour.id, local) + std::string(keys::counters[m]);
        ADTALLY_TRY(const auto number, number_of(stored[m], key));
        const std::int64_t had = held == day ? number : 0;
        const std::int64_t want = *counters_of(wanted)[m];
        ++report_.counters;
        if (had == want)
            continue;
        note(key, had, want, found);
        ++found.correctable;
        differs = true;
    }
    return differs;
}

void Comparison::note(std::string key, std::int64_t stored, std::int64_t recounted, Found& found) {
    ++report_.differences;
    if (options_.on_difference)
        options_.on_difference({key, stored, recounted});
    found.shadow.push_back(std::move(key));
    found.shadow.push_back(std::to_string(recounted));
}

Status Comparison::keep(const Found& found) {
    if (found.shadow.empty())
        return ok();
    std::vector<std::string_view> words{"HSET", shadow_key_};
    words.insert(words.end(), found.shadow.begin(), found.shadow.end());
    ADTALLY_TRY(const auto written, client_.command(words));
    ADTALLY_TRY(const auto aged, client_.command({"EXPIRE", shadow_key_, shadow_ttl_s}));
    if (written.is_error() || aged.is_error())
        return Error{ErrorCode::unavailable, "Redis refuses the shadow: " + written.text};
    if (!options_.apply || found.corrections.empty())
        return ok();
    ADTALLY_TRY(redis_sink::apply_corrections(client_, {shadow_key_, lease_.key(), lease_.holder()},
                                              found.corrections));
    report_.corrected += found.correctable;
    return ok();
}

domain::MetricDelta Comparison::recounted(const Subject& subject) const {
    const Totals& totals = recount_.totals();
    const auto value = [](const auto& map, const auto& key) {
        const auto found = map.find(key);
        return found == map.end() ? domain::MetricDelta{} : found->second;
    };
    switch (subject.kind) {
        case Kind::ad:
            return value(totals.ads, subject.id);
        case Kind::campaign:
            return value(totals.campaigns, subject.id);
        case Kind::hour:
            return value(totals.hours, std::pair{subject.id, domain::LocalHour{subject.bucket}});
        case Kind::day:
            return value(totals.days, std::pair{subject.id, domain::LocalDay{subject.bucket}});
    }
    return {};
}

// Nothing is stored, and it is so old that Redis may have let it go.
bool Comparison::expired(const Subject& subject) const {
    const std::int64_t now = clock_.wall().value / 1000;
    switch (subject.kind) {
        case Kind::ad:
        case Kind::campaign:
            return false;
        case Kind::hour:
            return now - subject.bucket * hour_s > keys::dated_hour_ttl - 24 * hour_s;
        case Kind::day:
            return now - subject.bucket * 24 * hour_s > keys::daily_ttl - 24 * hour_s;
    }
    return false;
}

bool Comparison::recent(const Subject& hour) {
    return recount_.hour_of(clock_.wall()).value - hour.bucket < undated_certain_h;
}

}  // namespace adtally::rebuild
