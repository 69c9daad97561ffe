#include "pipeline/processor/redis_sink/correction_script.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/script_parts.hpp"

namespace adtally::redis_sink {
namespace {

// KEYS: the shadow, the lease. ARGV: the lease's holder; how many entities, how many hours; of each
// entity: prefix, id ('' unless it is an ad) and five differences; of each hour: the dated prefix,
// the undated one, the day and whether it is recent; of each counter of a bucket: key, difference,
// lifetime.
constexpr std::string_view body = R"lua(
local call = redis.call
if call('EXISTS', KEYS[1]) == 0 then return {0} end
if call('GET', KEYS[2]) ~= ARGV[1] then return {3} end
local entities, hours = tonumber(ARGV[2]), tonumber(ARGV[3])
local first_entity = 4
local first_hour = first_entity + entities * 7
local first_counter = first_hour + hours * 4
local function foreign(key)
  local kind = call('TYPE', key).ok
  if kind == 'none' then return false end
  return kind ~= 'string' or not string.find(call('GET', key), '^-?%d+$')
end
for i = 0, entities - 1 do
  local at = first_entity + i * 7
  for m = 1, 5 do
    if foreign(ARGV[at] .. MEMBERS[m]) then return {2, ARGV[at] .. MEMBERS[m]} end
  end
end
for at = first_hour, first_counter - 1, 4 do
  for m = 1, 3 do
    if foreign(ARGV[at + 1] .. MEMBERS[m]) then return {2, ARGV[at + 1] .. MEMBERS[m]} end
  end
  local kind = call('TYPE', ARGV[at + 1] .. DAY).ok
  if kind ~= 'none' and kind ~= 'string' then return {2, ARGV[at + 1] .. DAY} end
end
for at = first_counter, #ARGV, 3 do
  if foreign(ARGV[at]) then return {2, ARGV[at]} end
end
)lua";

constexpr std::string_view writes = R"lua(
local function set_ratio(key, numerator, denominator)
  if denominator > 0 then call('SET', key, ratio(numerator, denominator)) else call('DEL', key) end
end
for i = 0, entities - 1 do
  local at = first_entity + i * 7
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
for at = first_counter, #ARGV, 3 do
  add(ARGV[at], ARGV[at + 1])
  if call('TTL', ARGV[at]) < 0 then call('EXPIRE', ARGV[at], ARGV[at + 2]) end
end
for at = first_hour, first_counter - 1, 4 do
  local dated, undated, day = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local held = call('GET', undated .. DAY) or ''
  if held < day and ARGV[at + 3] == '1' then
    call('SET', undated .. DAY, day, 'EX', HOUR_TTL)
    held = day
  end
  if held == day then
    for m = 1, 3 do
      local key, value = undated .. MEMBERS[m], call('GET', dated .. MEMBERS[m])
      if value then
        call('SET', key, value, 'KEEPTTL')
        if call('TTL', key) < 0 then call('EXPIRE', key, HOUR_TTL) end
      else
        call('DEL', key)
      end
    end
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
    Arguments(const Guards& guards, const Corrections& all) {
        words.push_back(guards.lease_holder);
        add(static_cast<std::int64_t>(all.ads.size() + all.campaigns.size()));
        add(static_cast<std::int64_t>(all.hours.size()));
        for (const auto& ad : all.ads)
            entity(keys::entity(processor::Entity::ad, ad.id), std::to_string(ad.id), ad.delta);
        for (const auto& campaign : all.campaigns)
            entity(keys::entity(processor::Entity::campaign, campaign.id), "", campaign.delta);
        for (const auto& hour : all.hours) {
            words.push_back(keys::dated_hour(hour.ad, hour.hour));
            words.push_back(keys::hour_of_day(hour.ad, hour.hour));
            words.push_back(domain::format_day(domain::day_of(hour.hour)));
            words.push_back(hour.recent ? "1" : "0");
        }
        for (const auto& hour : all.hours)
            counters(keys::dated_hour(hour.ad, hour.hour), hour.delta, keys::dated_hour_ttl);
        for (const auto& day : all.days)
            counters(keys::daily(day.ad, day.day), day.delta, keys::daily_ttl);
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
    void counters(const std::string& prefix, const domain::MetricDelta& delta, std::int64_t ttl) {
        const auto values = counters_of(delta);
        for (std::size_t m = 0; m < values.size(); ++m) {
            if (values[m] == 0)
                continue;
            words.push_back(prefix + std::string(keys::counters[m]));
            add(values[m]);
            add(ttl);
        }
    }
};

}  // namespace

Status apply_corrections(redis::Client& client, const Guards& guards,
                         const Corrections& corrections) {
    const Arguments arguments(guards, corrections);
    const std::vector<std::string_view> views{arguments.words.begin(), arguments.words.end()};
    const std::array<std::string_view, 2> names{guards.shadow_key, guards.lease_key};
    const redis::Script script{lua_names() + std::string(body) + std::string(lua_arithmetic()) +
                               std::string(writes)};
    ADTALLY_TRY(const auto reply, redis::evaluate(client, script, names, views));
    if (reply.is_error() || reply.elements.empty())
        return Error{ErrorCode::unavailable, "Redis refuses the corrections: " + reply.text};
    switch (reply.elements[0].integer) {
        case 1:
            return ok();
        case 0:
            return Error{ErrorCode::conflict,
                         "Redis lost its newest writes, or the comparison is older than an hour: "
                         "compare anew"};
        case 3:
            return Error{ErrorCode::conflict,
                         "another rebuild --apply has the lease, or it ran out: compare anew"};
        default:
            return Error{ErrorCode::invalid_argument,
                         fmt::format("{} holds something that is not a count: rename it away",
                                     reply.elements.size() > 1 ? reply.elements[1].text : "a key")};
    }
}

}  // namespace adtally::redis_sink
