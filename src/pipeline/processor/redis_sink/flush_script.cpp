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
        "local KEPT, WINDOW, BUCKET_MS = {}, {}, {}\n"
        "local CHUNK = 4000\n",  // arguments of one call: Lua's stack ends near 8,000
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
-- Phase one: look, and touch nothing. Keys are read in chunks: a call a key would be the flush.
local foreign
local function refuse(key, what) foreign = foreign or {key, what} end
local function must_be(key, kind)
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then refuse(key, 'holds a ' .. found) end
end
must_be(KEYS[2], 'hash')
must_be(KEYS[3], 'stream')
must_be(KEYS[4], 'set')
must_be(KEYS[5], 'hash')
must_be(KEYS[6], 'hash')
for _, key in pairs(TOP) do must_be(key, 'zset') end
if foreign then return {2, foreign[1], foreign[2]} end

local function fetch(command, first, keys)
  local values = {}
  for from = 1, #keys, CHUNK do
    local to, part = math.min(from + CHUNK - 1, #keys)
    if first then part = call(command, first, unpack(keys, from, to))
    else part = call(command, unpack(keys, from, to)) end
    for i = 1, to - from + 1 do values[from + i - 1] = part[i] end
  end
  return values
end
local wanted, integer = {}, {}
local function want(key, must_be_integer)
  wanted[#wanted + 1] = key
  integer[#wanted] = must_be_integer
end
local at = FIRST
for i = 1, N[1] + N[2] do
  for m = 1, 5 do want(ARGV[at] .. MEMBERS[m], ARGV[at + 1 + m] ~= '0') end
  at = at + 7
end
local function want_changed(prefix, first)
  for m = 1, 5 do
    if ARGV[first + m - 1] ~= '0' then want(prefix .. MEMBERS[m], true) end
  end
end
for i = 1, N[3] do
  want_changed(ARGV[at], at + 1)
  want(ARGV[at + 6] .. DAY)
  want_changed(ARGV[at + 6], at + 1)
  at = at + 9
end
for i = 1, N[4] do
  want_changed(ARGV[at], at + 1)
  at = at + 6
end
local FIRST_WINDOW = at
at = at + N[5] * 5
local FIRST_SESSION = at
for i = 1, N[6] do
  want(ARGV[at], true)
  at = at + 4
end
local before = fetch('MGET', nil, wanted)
for i = 1, #wanted do
  local value = before[i]
  if not value then
    if integer[i] or string.sub(wanted[i], -4) == ':' .. DAY then
      must_be(wanted[i], 'string')  -- MGET tells nothing of a key of another type
    end
  elseif integer[i] and not string.find(value, '^-?%d+$') then
    refuse(wanted[i], 'is no integer')
  end
end

-- The window of an entity: "head;impressions;clicks;head's impressions;head's clicks;seen;incident;"
-- and its other buckets, "bucket=impressions,clicks " each.
local PACKED = '^(%d+);(%d+);(%d+);(%d+);(%d+);(%d+);([^;]*);(.*)$'
local windows = {ad = {}, campaign = {}}
local HASHES = {ad = KEYS[5], campaign = KEYS[6]}
do
  local ids = {ad = {}, campaign = {}}
  at = FIRST_WINDOW
  for i = 1, N[5] do
    local list, id = ids[ARGV[at]], ARGV[at + 1]
    if list[#list] ~= id then list[#list + 1] = id end
    at = at + 5
  end
  for kind, list in pairs(ids) do
    local values = fetch('HMGET', HASHES[kind], list)
    for i, id in ipairs(list) do
      if values[i] and not string.find(values[i], PACKED) then
        refuse(HASHES[kind], 'is no window at ' .. id)
      end
      windows[kind][id] = values[i]
    end
  end
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
local function call_in_chunks(command, first, list)
  for from = 1, #list, CHUNK do
    local to = math.min(from + CHUNK - 1, #list)
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
local seen_before = 0  -- how far `before` has been used up: in the order of `want`
for i = 1, N[1] + N[2] do
  local prefix, id, now = ARGV[at], ARGV[at + 1], {}
  for m = 1, 5 do
    local old, delta = before[seen_before + m] or '0', ARGV[at + 1 + m]
    now[m] = delta == '0' and old or sum(prefix .. MEMBERS[m], old, delta)
    reply[#reply + 1] = now[m]
  end
  seen_before = seen_before + 5
  local impressions, clicks, cost = tonumber(now[1]), tonumber(now[2]), now[4]
  if impressions > 0 then
    set(prefix .. CTR, ratio(now[2] .. '000000', impressions))
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
local function add_dated(prefix, first, ttl)
  for m = 1, 5 do
    local delta = ARGV[first + m - 1]
    if delta ~= '0' then
      local key = prefix .. MEMBERS[m]
      add(key, delta)
      seen_before = seen_before + 1
      if not before[seen_before] then call('EXPIRE', key, ttl) end
    end
  end
end
-- The undated hour holds the most recent day that had events: a newer day replaces it. It expires
-- 48 h after its last write. Events of the last hour do not renew that with every write: they find a
-- key that was made within it, and given two hours more.
local today = {}
for i = 1, N[3] do
  add_dated(ARGV[at], at + 1, DATED_TTL)
  local prefix, day, late = ARGV[at + 6], ARGV[at + 7], ARGV[at + 8] == '1'
  local ttl = late and HOUR_TTL or HOUR_TTL + 7200
  seen_before = seen_before + 1
  local held = today[prefix] or before[seen_before] or ''
  local newer = day > held
  if newer then
    for m = 1, 5 do call('DEL', prefix .. MEMBERS[m]) end
  end
  if newer or late and day == held then call('SET', prefix .. DAY, day, 'EX', ttl) end
  today[prefix] = newer and day or held
  for m = 1, 5 do
    local delta = ARGV[at + m]
    if delta ~= '0' then
      seen_before = seen_before + 1
      if day == today[prefix] then
        local key = prefix .. MEMBERS[m]
        add(key, delta)
        if newer or late or not before[seen_before] then call('EXPIRE', key, ttl) end
      end
    end
  end
  at = at + 9
end
for i = 1, N[4] do
  add_dated(ARGV[at], at + 1, DAILY_TTL)
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
-- The incident that is open afterwards, or ''.
local function judge(kind, id, head, impressions, clicks, incident)
  local function tell(name, state, limit)
    local observed = impressions > 0 and ratio(text(clicks) .. '000000', impressions) or '0.000000'
    report(name, 'ctr', kind, id, state, observed, ratio(text(limit), 1), text(head * BUCKET_MS),
           {'impressions', text(impressions), 'clicks', text(clicks)})
  end
  if incident == '' then
    if impressions >= CTR_LEAST and clicks * 1000000 > CTR_OPEN * impressions then
      incident = 'ctr:' .. kind .. ':' .. id .. ':' .. text(head * BUCKET_MS)
      call('SADD', KEYS[4], kind .. ':' .. id)
      tell(incident, 'OPEN', CTR_OPEN)
    end
  elseif clicks * 1000000 < CTR_CLOSE * impressions then
    call('SREM', KEYS[4], kind .. ':' .. id)
    tell(incident, 'RESOLVED', CTR_CLOSE)
    incident = ''
  end
  return incident
end
-- Without the buckets that the window has left; and the sums of what stays.
local function prune(others, head)
  local kept, impressions, clicks = {}, 0, 0
  for bucket, i, c in string.gmatch(others, '(%d+)=(%d+),(%d+) ') do
    if tonumber(bucket) > head - WINDOW then
      kept[#kept + 1] = bucket .. '=' .. i .. ',' .. c .. ' '
      impressions, clicks = impressions + i, clicks + c
    end
  end
  return table.concat(kept), impressions, clicks
end
local function add_late(others, bucket, i, c)
  local found
  others = string.gsub(others, '(%d+)=(%d+),(%d+) ', function(b, old_i, old_c)
    if b ~= bucket then return nil end
    found = true
    return b .. '=' .. text(old_i + i) .. ',' .. text(old_c + c) .. ' '
  end)
  return found and others or others .. bucket .. '=' .. i .. ',' .. c .. ' '
end
local changed = {ad = {}, campaign = {}}
at = FIRST_WINDOW
local w = 1
while w <= N[5] do
  local kind, id = ARGV[at], ARGV[at + 1]
  local head, impressions, clicks, head_i, head_c, _, incident, others =
      string.match(windows[kind][id] or '0;0;0;0;0;0;;', PACKED)
  head, impressions, clicks = tonumber(head), tonumber(impressions), tonumber(clicks)
  head_i, head_c = tonumber(head_i), tonumber(head_c)
  while w <= N[5] and ARGV[at] == kind and ARGV[at + 1] == id do
    local bucket, i, c = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
    if bucket > head then
      if head_i + head_c > 0 then
        others = others .. text(head) .. '=' .. text(head_i) .. ',' .. text(head_c) .. ' '
      end
      head, head_i, head_c = bucket, 0, 0
      others, impressions, clicks = prune(others, head)
    end
    if bucket == head then
      head_i, head_c = head_i + i, head_c + c
    elseif bucket > head - WINDOW then
      others = add_late(others, ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    else
      i, c = 0, 0  -- older than the window
    end
    impressions, clicks = impressions + i, clicks + c
    at, w = at + 5, w + 1
  end
  incident = judge(kind, id, head, impressions, clicks, incident)
  local list = changed[kind]
  list[#list + 1] = id
  list[#list + 1] = string.format('%d;%d;%d;%d;%d;%s;%s;%s', head, impressions, clicks, head_i,
                                  head_c, NOW, incident, others)
end
for kind, list in pairs(changed) do call_in_chunks('HSET', HASHES[kind], list) end
at = FIRST_SESSION
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
local HASHES = {ad = KEYS[3], campaign = KEYS[4]}
local PACKED = '^(%d+);(%d+);(%d+);(%d+);(%d+);(%d+);([^;]*);(.*)$'
local now, silence, closed = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for _, member in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local kind, id = string.match(member, '^(%a+):(%d+)$')
  local packed = HASHES[kind] and redis.call('HGET', HASHES[kind], id)
  local head, impressions, clicks, head_i, head_c, seen, incident, others =
      string.match(packed or '', PACKED)
  if not head or incident == '' then
    redis.call('SREM', KEYS[1], member)
  elseif now - tonumber(seen) > silence then
    redis.call('SREM', KEYS[1], member)
    redis.call('HSET', HASHES[kind], id, table.concat(
        {head, impressions, clicks, head_i, head_c, seen, '', others}, ';'))
    redis.call('XADD', KEYS[2], 'MAXLEN', KEPT, '*', 'id', incident, 'rule', 'ctr', 'entity', kind,
               'entity_id', id, 'state', 'RESOLVED', 'observed', 'no traffic', 'threshold', '',
               'event_time_ms', string.format('%d', tonumber(head) * BUCKET_MS),
               'detected_at_ms', ARGV[1], 'impressions', impressions, 'clicks', clicks)
    closed = closed + 1
  end
end
-- A step through the windows: those that nothing has touched for an hour are forgotten.
local cursors = {}
for i, hash in ipairs({KEYS[3], KEYS[4]}) do
  local step = redis.call('HSCAN', hash, ARGV[2 + i], 'COUNT', 1000)
  cursors[i] = step[1]
  for f = 1, #step[2], 2 do
    local seen, incident = string.match(step[2][f + 1], '^%d+;%d+;%d+;%d+;%d+;(%d+);([^;]*);')
    if seen and incident == '' and now - tonumber(seen) > 3600000 then
      redis.call('HDEL', hash, step[2][f])
    end
  end
end
return {closed, cursors[1], cursors[2]}
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
