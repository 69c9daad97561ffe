// The Lua of the flush, in pieces that are read from top to bottom.
//
// Why Lua at all: compare, hundreds of increments and the new offset must be one step that either
// happened or did not. Redis runs a script alone and writes its effects to the AOF as one
// MULTI/EXEC, so that a torn tail drops the whole of it.
// Why two phases: a script is not rolled back when a command fails in the middle. So everything
// that could fail (a key of a foreign type, a text that is no integer) is looked at before the
// first write; after it only INCRBY's overflow is left, and that saturates.
// Why two ways to add: Lua's numbers are doubles. Below 16 digits they are exact, and one MSET for
// all totals is half the cost of an INCRBY each; above, the texts go to INCRBY as they came and the
// result is read back by GET. Quotients likewise: one division, or long division digit by digit;
// both are exact to the last place while the denominator stays below 9·10^14.
// What it costs: calls into Redis and strings made in Lua are the flush; both are kept few.
#include "pipeline/processor/redis_sink/flush_script.hpp"

#include <fmt/format.h>

#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::redis_sink {
namespace {

std::string lua_names() {
    std::string list;
    for (std::string_view member : keys::counters)
        list += fmt::format("'{}',", member);
    return fmt::format(
        "local MEMBERS = {{{}}}\n"
        "local CTR, CPC, CPM, DAY = '{}', '{}', '{}', '{}'\n"
        "local TOP = {{impressions = '{}', clicks = '{}', ctr = '{}', cost = '{}'}}\n"
        "local HOUR_TTL, DATED_TTL, DAILY_TTL, SESSION_TTL = {}, {}, {}, {}\n"
        "local KEPT, WINDOW, BUCKET_MS = {}, {}, {}\n",
        list, keys::ctr, keys::cpc, keys::cpm, keys::day_held, keys::top_ads("impressions"),
        keys::top_ads("clicks"), keys::top_ads("ctr"), keys::top_ads("cost"), keys::hour_of_day_ttl,
        keys::dated_hour_ttl, keys::daily_ttl, keys::session_ttl, keys::anomalies_kept,
        processor::ctr_window_buckets, processor::ctr_bucket_ms);
}

constexpr std::string_view lua_guard = R"lua(
local call = redis.call
local stored = call('GET', KEYS[1])
if stored then
  if stored ~= ARGV[1] or ARGV[3] == '1' then return {0, stored} end
elseif ARGV[3] ~= '1' then
  return {0, false}
elseif call('EXISTS', KEYS[2]) == 1 then
  return {2, KEYS[1], 'is missing although its partition was counted'}
end
local NOW = ARGV[8]
local CTR_OPEN, CTR_CLOSE = tonumber(ARGV[9]), tonumber(ARGV[10])
local CTR_LEAST, SESSION_LIMIT = tonumber(ARGV[11]), tonumber(ARGV[12])
local N = {}
for i = 1, 6 do N[i] = tonumber(ARGV[12 + i]) end
local FIRST = 19
)lua";

constexpr std::string_view lua_check = R"lua(
-- Phase one: look, and touch nothing.
local foreign
local function refuse(key, what) foreign = foreign or {key, what} end
local function must_be(key, kind)
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then refuse(key, 'holds a ' .. found) end
end
-- A reading that answers with an error when the key is of another type.
local function look(kind, command, key, ...)
  local value = redis.pcall(command, key, ...)
  if type(value) == 'table' and value.err then refuse(key, 'does not hold a ' .. kind) end
  return value
end
local function must_be_integer(key, value)
  if value then
    if not string.find(value, '^-?%d+$') then refuse(key, 'is no integer') end
  else
    must_be(key, 'string')  -- MGET tells nothing of a key of another type
  end
end
local function read_counters(prefix, at)
  local values = call('MGET', prefix .. MEMBERS[1], prefix .. MEMBERS[2], prefix .. MEMBERS[3],
                      prefix .. MEMBERS[4], prefix .. MEMBERS[5])
  for m = 1, 5 do
    if ARGV[at + m - 1] ~= '0' then must_be_integer(prefix .. MEMBERS[m], values[m]) end
  end
  return values
end
must_be(KEYS[2], 'hash')
must_be(KEYS[3], 'stream')
must_be(KEYS[4], 'set')
for _, key in pairs(TOP) do must_be(key, 'zset') end
local before, at = {}, FIRST
for i = 1, N[1] + N[2] do
  before[i] = read_counters(ARGV[at], at + 2)
  at = at + 7
end
local hour_before, today = {}, {}
for i = 1, N[3] do
  hour_before[i] = read_counters(ARGV[at], at + 1)
  local prefix = ARGV[at + 6]
  today[prefix] = today[prefix] or look('string', 'GET', prefix .. DAY) or ''
  if today[prefix] == ARGV[at + 7] then read_counters(prefix, at + 1) end
  at = at + 8
end
local day_before = {}
for i = 1, N[4] do
  day_before[i] = read_counters(ARGV[at], at + 1)
  at = at + 6
end
local window_before = {}
for i = 1, N[5] do
  local key = ARGV[at]
  window_before[key] = window_before[key] or
      look('hash', 'HMGET', key, 'head', 'impressions', 'clicks', 'incident')
  at = at + 6
end
for i = 1, N[6] do
  local clicks = look('string', 'GET', ARGV[at])
  if not foreign then must_be_integer(ARGV[at], clicks) end
  at = at + 4
end
if foreign then return {2, foreign[1], foreign[2]} end
)lua";

constexpr std::string_view lua_arithmetic = R"lua(
-- Phase two: write. Nothing below can fail but an overflow, which saturates.
local MOST = '9223372036854775807'
local function text(number) return string.format('%d', number) end
local function add(key, delta)
  local value = redis.pcall('INCRBY', key, delta)
  if type(value) == 'table' then
    call('SET', key, MOST, 'KEEPTTL')
    return MOST
  end
  if value < 9007199254740992 then return text(value) end
  return call('GET', key)
end
-- Calls a command with as many arguments at once as Lua's stack takes.
local function call_in_chunks(command, first, list)
  for from = 1, #list, 4000 do
    local to = math.min(from + 3999, #list)
    if first then call(command, first, unpack(list, from, to))
    else call(command, unpack(list, from, to)) end
  end
end
local function with_point(digits)
  digits = string.rep('0', 7 - #digits) .. digits
  return string.sub(digits, 1, -7) .. '.' .. string.sub(digits, -6)
end
local function long_division(numerator, denominator)
  local digits, rest = {}, 0
  for digit in string.gmatch(numerator, '%d') do
    rest = rest * 10 + tonumber(digit)
    local quotient = math.floor(rest / denominator)
    rest = rest - quotient * denominator
    digits[#digits + 1] = quotient
  end
  local i = #digits
  local carry = rest * 2 >= denominator and 1 or 0
  while carry == 1 and i > 0 do
    digits[i] = digits[i] + 1
    if digits[i] == 10 then digits[i] = 0 else carry = 0 end
    i = i - 1
  end
  return (string.gsub(carry .. table.concat(digits), '^0+', ''))
end
-- numerator (decimal text) / denominator, rounded half up, as text in millionths: "0.032520".
-- Up to 15 digits a double holds every integer on the way, and floor() can be off by one at most.
local function ratio(numerator, denominator)
  if #numerator > 15 then return with_point(long_division(numerator, denominator)) end
  local n = tonumber(numerator)
  local quotient = math.floor(n / denominator)
  local rest = n - quotient * denominator
  if rest < 0 then quotient, rest = quotient - 1, rest + denominator
  elseif rest >= denominator then quotient, rest = quotient + 1, rest - denominator end
  if rest * 2 >= denominator then quotient = quotient + 1 end
  return string.format('%d.%06d', math.floor(quotient / 1000000), quotient % 1000000)
end
)lua";

constexpr std::string_view lua_totals = R"lua(
local reply, sets = {1}, {}
local function set(key, value)
  sets[#sets + 1] = key
  sets[#sets + 1] = value
end
-- Totals do not expire: while a double is exact they are added here and set all at once.
local function sum(key, old, delta)
  if #old > 15 or #delta > 15 then return add(key, delta) end
  local value = text(tonumber(old) + tonumber(delta))
  set(key, value)
  return value
end
local ranks = {impressions = {}, clicks = {}, ctr = {}, cost = {}}
local function rank(by, score, id)
  local list = ranks[by]
  list[#list + 1] = score
  list[#list + 1] = id
end
at = FIRST
for i = 1, N[1] + N[2] do
  local prefix, id, now = ARGV[at], ARGV[at + 1], before[i]
  for m = 1, 5 do
    local delta = ARGV[at + 1 + m]
    if delta ~= '0' then now[m] = sum(prefix .. MEMBERS[m], now[m] or '0', delta) end
    reply[#reply + 1] = now[m] or '0'
  end
  local impressions, clicks = tonumber(now[1] or '0'), tonumber(now[2] or '0')
  local cost = now[4] or '0'
  if impressions > 0 then
    set(prefix .. CTR, ratio((now[2] or '0') .. '000000', impressions))
    set(prefix .. CPM, ratio(cost, impressions))
  end
  if clicks > 0 then set(prefix .. CPC, ratio(cost, clicks * 1000)) end
  if i <= N[1] then
    if ARGV[at + 2] ~= '0' then rank('impressions', now[1], id) end
    if ARGV[at + 3] ~= '0' then rank('clicks', now[2], id) end
    if ARGV[at + 5] ~= '0' then rank('cost', cost, id) end
    if impressions > 0 then rank('ctr', string.format('%.9g', clicks / impressions), id) end
  end
  at = at + 7
end
call_in_chunks('MSET', nil, sets)
for by, list in pairs(ranks) do call_in_chunks('ZADD', TOP[by], list) end
)lua";

constexpr std::string_view lua_buckets = R"lua(
local function add_dated(prefix, first, values, ttl)
  for m = 1, 5 do
    local delta = ARGV[first + m - 1]
    if delta ~= '0' then
      local key = prefix .. MEMBERS[m]
      add(key, delta)
      if not values[m] then call('EXPIRE', key, ttl) end
    end
  end
end
for i = 1, N[3] do
  add_dated(ARGV[at], at + 1, hour_before[i], DATED_TTL)
  -- The undated hour holds the most recent day that had events: a newer day replaces it.
  local prefix, day = ARGV[at + 6], ARGV[at + 7]
  if day > today[prefix] then
    for m = 1, 5 do call('DEL', prefix .. MEMBERS[m]) end
    today[prefix] = day
  end
  if day == today[prefix] then
    call('SET', prefix .. DAY, day, 'EX', HOUR_TTL)
    for m = 1, 5 do
      local delta = ARGV[at + m]
      if delta ~= '0' then
        add(prefix .. MEMBERS[m], delta)
        call('EXPIRE', prefix .. MEMBERS[m], HOUR_TTL)
      end
    end
  end
  at = at + 8
end
for i = 1, N[4] do
  add_dated(ARGV[at], at + 1, day_before[i], DAILY_TTL)
  at = at + 6
end
)lua";

constexpr std::string_view lua_anomalies = R"lua(
local function report(id, rule, entity, entity_id, state, observed, threshold, event_ms, extra)
  local fields = {'id', id, 'rule', rule, 'entity', entity, 'entity_id', entity_id, 'state', state,
                  'observed', observed, 'threshold', threshold, 'event_time_ms', event_ms,
                  'detected_at_ms', NOW}
  for _, field in ipairs(extra) do fields[#fields + 1] = field end
  call('XADD', KEYS[3], 'MAXLEN', KEPT, '*', unpack(fields))
end
local function judge(key, kind, id, head, impressions, clicks, incident)
  local function tell(name, state, limit)
    local observed = impressions > 0 and ratio(text(clicks) .. '000000', impressions) or '0.000000'
    report(name, 'ctr', kind, id, state, observed, ratio(text(limit), 1), text(head * BUCKET_MS),
           {'impressions', text(impressions), 'clicks', text(clicks)})
  end
  if not incident then
    if impressions >= CTR_LEAST and clicks * 1000000 > CTR_OPEN * impressions then
      incident = 'ctr:' .. kind .. ':' .. id .. ':' .. text(head * BUCKET_MS)
      call('HSET', key, 'incident', incident)
      call('SADD', KEYS[4], key)
      tell(incident, 'OPEN', CTR_OPEN)
    end
  elseif clicks * 1000000 < CTR_CLOSE * impressions then
    call('HDEL', key, 'incident')
    call('SREM', KEYS[4], key)
    tell(incident, 'RESOLVED', CTR_CLOSE)
  end
end
-- Drops the buckets that the window has left and sums up what stays.
local function resum(key, head)
  local all, impressions, clicks = call('HGETALL', key), 0, 0
  for f = 1, #all, 2 do
    local bucket = string.match(all[f], '^b(%d+)$')
    if bucket and tonumber(bucket) <= head - WINDOW then
      call('HDEL', key, all[f])
    elseif bucket then
      local i, c = string.match(all[f + 1], '^(%d+),(%d+)$')
      impressions, clicks = impressions + i, clicks + c
    end
  end
  return impressions, clicks
end
local w = 1
while w <= N[5] do
  local key, kind, id = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local state = window_before[key]
  local head, moved, fields = tonumber(state[1] or '-1'), false, {}
  local impressions, clicks = tonumber(state[2] or '0'), tonumber(state[3] or '0')
  while w <= N[5] and ARGV[at] == key do
    local bucket, i, c = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
    if bucket > head then head, moved = bucket, true end
    if bucket > head - WINDOW then
      local field = 'b' .. ARGV[at + 3]
      local old = call('HGET', key, field)
      local old_i, old_c = 0, 0
      if old then old_i, old_c = string.match(old, '^(%d+),(%d+)$') end
      fields[#fields + 1] = field
      fields[#fields + 1] = text(old_i + i) .. ',' .. text(old_c + c)
      impressions, clicks = impressions + i, clicks + c
    end
    at, w = at + 6, w + 1
  end
  if moved then
    call('HSET', key, unpack(fields))
    impressions, clicks = resum(key, head)
    call('EXPIRE', key, 3600)
    fields = {}
  end
  for _, value in ipairs({'head', text(head), 'impressions', text(impressions), 'clicks',
                          text(clicks), 'seen', NOW}) do
    fields[#fields + 1] = value
  end
  call('HSET', key, unpack(fields))
  judge(key, kind, id, head, impressions, clicks, state[4])
end
for i = 1, N[6] do
  local key, session, delta = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local clicks = tonumber(add(key, ARGV[at + 2]))
  call('EXPIRE', key, SESSION_TTL)
  if clicks > SESSION_LIMIT and clicks - delta <= SESSION_LIMIT then
    report('session_clicks:' .. session .. ':' .. ARGV[at + 3], 'session_clicks', 'session',
           session, 'OPEN', text(clicks), text(SESSION_LIMIT), ARGV[at + 3], {})
  end
  at = at + 4
end
)lua";

constexpr std::string_view lua_commit = R"lua(
if ARGV[3] == '1' then call('HSET', KEYS[2], 'base', ARGV[1]) end
call('HINCRBY', KEYS[2], 'counted', ARGV[4])
call('HINCRBY', KEYS[2], 'duplicates', ARGV[5])
call('HINCRBY', KEYS[2], 'dead_lettered', ARGV[6])
call('HINCRBY', KEYS[2], 'expired', ARGV[7])
call('SET', KEYS[1], ARGV[2])
return reply
)lua";

constexpr std::string_view lua_sweep = R"lua(
local closed = 0
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local w = redis.call('HMGET', key, 'incident', 'seen', 'head', 'impressions', 'clicks')
  if not w[1] then
    redis.call('SREM', KEYS[1], key)
  elseif tonumber(ARGV[1]) - tonumber(w[2]) > tonumber(ARGV[2]) then
    local kind, id = string.match(w[1], '^ctr:(%a+):(%d+):')
    redis.call('HDEL', key, 'incident')
    redis.call('SREM', KEYS[1], key)
    redis.call('XADD', KEYS[2], 'MAXLEN', KEPT, '*', 'id', w[1], 'rule', 'ctr', 'entity', kind,
               'entity_id', id, 'state', 'RESOLVED', 'observed', 'no traffic', 'threshold', '',
               'event_time_ms', string.format('%.0f', tonumber(w[3]) * BUCKET_MS),
               'detected_at_ms', ARGV[1], 'impressions', w[4], 'clicks', w[5])
    closed = closed + 1
  end
end
return closed
)lua";

}  // namespace

std::string flush_script_source() {
    std::string source = lua_names();
    for (std::string_view piece :
         {lua_guard, lua_check, lua_arithmetic, lua_totals, lua_buckets, lua_anomalies, lua_commit})
        source += piece;
    return source;
}

std::string sweep_script_source() {
    return lua_names() + std::string(lua_sweep);
}

}  // namespace adtally::redis_sink
