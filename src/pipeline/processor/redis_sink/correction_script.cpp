#include "pipeline/processor/redis_sink/correction_script.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/script_parts.hpp"

namespace adtally::redis_sink {
namespace {

// KEYS: the shadow. ARGV: how many entities, then of each: prefix, id ('' unless it is an ad) and
// five differences; then of each counter of a bucket: key, difference, lifetime, the undated hour's
// key, its `day` key and the day ('' three times unless it is an hour's).
constexpr std::string_view body = R"lua(
local call = redis.call
if call('EXISTS', KEYS[1]) == 0 then return {0} end
local entities = tonumber(ARGV[1])
local first_counter = 2 + entities * 7
local function foreign(key)
  local kind = call('TYPE', key).ok
  if kind == 'none' then return false end
  return kind ~= 'string' or not string.find(call('GET', key), '^-?%d+$')
end
for i = 0, entities - 1 do
  local at = 2 + i * 7
  for m = 1, 5 do
    if foreign(ARGV[at] .. MEMBERS[m]) then return {2, ARGV[at] .. MEMBERS[m]} end
  end
end
for at = first_counter, #ARGV, 6 do
  if foreign(ARGV[at]) then return {2, ARGV[at]} end
  if ARGV[at + 3] ~= '' and foreign(ARGV[at + 3]) then return {2, ARGV[at + 3]} end
end
)lua";

constexpr std::string_view writes = R"lua(
local function set_ratio(key, numerator, denominator)
  if denominator > 0 then call('SET', key, ratio(numerator, denominator)) else call('DEL', key) end
end
for i = 0, entities - 1 do
  local at = 2 + i * 7
  local prefix, id, now = ARGV[at], ARGV[at + 1], {}
  for m = 1, 5 do
    local delta = ARGV[at + 1 + m]
    now[m] = delta == '0' and (call('GET', prefix .. MEMBERS[m]) or '0')
        or add(prefix .. MEMBERS[m], delta)
  end
  local impressions, clicks = tonumber(now[1]), tonumber(now[2])
  set_ratio(prefix .. CTR, now[2] .. '000000', impressions)
  set_ratio(prefix .. CPM, now[4], impressions)
  set_ratio(prefix .. CPC, now[4], clicks * 1000)
  if id ~= '' then
    call('ZADD', TOP.impressions, now[1], id)
    call('ZADD', TOP.clicks, now[2], id)
    call('ZADD', TOP.cost, now[4], id)
    if impressions > 0 then call('ZADD', TOP.ctr, string.format('%.9g', clicks / impressions), id)
    else call('ZREM', TOP.ctr, id) end
  end
end
local function add_expiring(key, delta, ttl)
  add(key, delta)
  if call('TTL', key) < 0 then call('EXPIRE', key, ttl) end
end
for at = first_counter, #ARGV, 6 do
  add_expiring(ARGV[at], ARGV[at + 1], ARGV[at + 2])
  if ARGV[at + 3] ~= '' and call('GET', ARGV[at + 4]) == ARGV[at + 5] then
    add_expiring(ARGV[at + 3], ARGV[at + 1], HOUR_TTL)
  end
end
return {1}
)lua";

std::array<std::int64_t, 5> counters_of(const domain::MetricDelta& delta) {
    return {delta.impressions, delta.clicks, delta.conversions, delta.cost.value,
            delta.value.value};
}

class Arguments {
public:
    void entities(const Corrections& all) {
        add(static_cast<std::int64_t>(all.ads.size() + all.campaigns.size()));
        for (const auto& ad : all.ads)
            entity(keys::entity(processor::Entity::ad, ad.id), std::to_string(ad.id), ad.delta);
        for (const auto& campaign : all.campaigns)
            entity(keys::entity(processor::Entity::campaign, campaign.id), "", campaign.delta);
    }
    void buckets(const Corrections& all) {
        constexpr std::size_t undated_members = 3;
        for (const auto& hour : all.hours) {
            const std::string dated = keys::dated_hour(hour.ad, hour.hour);
            const std::string undated = keys::hour_of_day(hour.ad, hour.hour);
            const std::string day = domain::format_day(domain::day_of(hour.hour));
            const auto counters = counters_of(hour.delta);
            for (std::size_t m = 0; m < counters.size(); ++m) {
                if (counters[m] == 0)
                    continue;
                counter(dated, m, counters[m], keys::dated_hour_ttl);
                const bool held = m < undated_members;
                words.push_back(held ? undated + std::string(keys::counters[m]) : "");
                words.push_back(held ? undated + std::string(keys::day_held) : "");
                words.push_back(held ? day : "");
            }
        }
        for (const auto& day : all.days) {
            const auto counters = counters_of(day.delta);
            for (std::size_t m = 0; m < counters.size(); ++m) {
                if (counters[m] == 0)
                    continue;
                counter(keys::daily(day.ad, day.day), m, counters[m], keys::daily_ttl);
                words.insert(words.end(), 3, "");
            }
        }
    }
    std::vector<std::string> words;

private:
    void add(std::int64_t number) { words.push_back(std::to_string(number)); }
    void entity(std::string prefix, std::string id, const domain::MetricDelta& delta) {
        words.push_back(std::move(prefix));
        words.push_back(std::move(id));
        for (const std::int64_t each : counters_of(delta))
            add(each);
    }
    void counter(const std::string& prefix, std::size_t member, std::int64_t delta,
                 std::int64_t ttl) {
        words.push_back(prefix + std::string(keys::counters[member]));
        add(delta);
        add(ttl);
    }
};

}  // namespace

Status apply_corrections(redis::Client& client, const std::string& shadow_key,
                         const Corrections& corrections) {
    Arguments arguments;
    arguments.entities(corrections);
    arguments.buckets(corrections);
    const std::vector<std::string_view> views{arguments.words.begin(), arguments.words.end()};
    const redis::Script script{lua_names() + std::string(body) + std::string(lua_arithmetic()) +
                               std::string(writes)};
    ADTALLY_TRY(
        const auto reply,
        redis::evaluate(client, script, std::array<std::string_view, 1>{shadow_key}, views));
    if (reply.is_error() || reply.elements.empty())
        return Error{ErrorCode::unavailable, "Redis refuses the corrections: " + reply.text};
    if (reply.elements[0].integer == 1)
        return ok();
    if (reply.elements[0].integer == 0)
        return Error{ErrorCode::conflict,
                     "Redis lost its newest writes, or the comparison is older than an hour: "
                     "compare anew"};
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} holds something that is not a count: rename it away",
                             reply.elements.size() > 1 ? reply.elements[1].text : "a key")};
}

}  // namespace adtally::redis_sink
