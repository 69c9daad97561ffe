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

#include "pipeline/processor/redis_sink/script_parts.hpp"

namespace adtally::redis_sink {
namespace {

constexpr std::string_view lua_guard = R"lua(
local call = redis.call
-- Partitions first: where each was and is, what its records became. All of them or none.
local PARTITIONS, NOW = tonumber(ARGV[1]), ARGV[2]
local CTR_OPEN, CTR_CLOSE = tonumber(ARGV[3]), tonumber(ARGV[4])
local CTR_LEAST, SESSION_LIMIT = tonumber(ARGV[5]), tonumber(ARGV[6])
local ADS, CAMPAIGNS, HOURS = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local DAYS, WINDOWS, SESSIONS = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
-- Of partition p: offset, books and dead letters from KEYS[keys_of(p)]; from ARGV[head_of(p)] on
-- start, end, first, counted, duplicates, dead letters, expired, begin of the log, ranges.
local function keys_of(p) return 2 + 3 * p end
local function head_of(p) return 4 + 9 * p end
local FIRST = head_of(PARTITIONS + 1)
local BOOKS = {'counted', 'duplicates', 'dead_lettered', 'expired'}
local conflicts = {0}
for p = 1, PARTITIONS do
  local k, head = keys_of(p), head_of(p)
  local stored = call('GET', KEYS[k])
  local first = ARGV[head + 2] == '1'
  if stored and (first or stored ~= ARGV[head]) or not stored and not first then
    conflicts[#conflicts + 1] = p
    conflicts[#conflicts + 1] = stored or ''
  elseif not stored and call('EXISTS', KEYS[k + 1]) == 1 then
    return {2, KEYS[k], 'is missing although its partition was counted'}
  end
end
if #conflicts > 1 then return conflicts end
)lua";

constexpr std::string_view lua_check = R"lua(
-- Phase one: look, and touch nothing. Keys are read in chunks: a call a key would be the flush.
local foreign
local function refuse(key, what) foreign = foreign or {key, what} end
local function must_be(key, kind)
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then refuse(key, 'holds a ' .. found) end
end
must_be(KEYS[1], 'stream')
must_be(KEYS[2], 'set')
must_be(KEYS[3], 'hash')
must_be(KEYS[4], 'hash')
for p = 1, PARTITIONS do
  must_be(KEYS[keys_of(p) + 1], 'hash')
  must_be(KEYS[keys_of(p) + 2], 'zset')
end
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
for i = 1, ADS + CAMPAIGNS do
  for m = 1, 5 do want(ARGV[at] .. MEMBERS[m], ARGV[at + 1 + m] ~= '0') end
  at = at + 7
end
local function want_changed(prefix, first, members)
  for m = 1, members do
    if ARGV[first + m - 1] ~= '0' then want(prefix .. MEMBERS[m], true) end
  end
end
for i = 1, HOURS do
  want_changed(ARGV[at], at + 1, 5)
  want(ARGV[at + 6] .. DAY)
  want_changed(ARGV[at + 6], at + 1, 3)
  at = at + 9
end
for i = 1, DAYS do
  want_changed(ARGV[at], at + 1, 5)
  at = at + 6
end
local FIRST_WINDOW = at
at = at + WINDOWS * 5
local FIRST_SESSION = at
for i = 1, SESSIONS do
  want(ARGV[at], true)
  at = at + 4
end
local FIRST_DEAD_LETTERS = at
local before = fetch('MGET', nil, wanted)
for i = 1, #wanted do
  local value = before[i]
  if not value then
    if integer[i] or string.sub(wanted[i], -4) == ':' .. DAY then
      must_be(wanted[i], 'string')  -- MGET tells nothing of a key of another type
    end
  elseif integer[i] ~= nil and not string.find(value, '^-?%d+$') then
    refuse(wanted[i], 'is no integer')  -- totals are read even where nothing is added
  end
end
if not foreign then
  for p = 1, PARTITIONS do
    local key = KEYS[keys_of(p) + 1]
    local books = call('HMGET', key, unpack(BOOKS))
    for i = 1, #BOOKS do
      if books[i] and not string.find(books[i], '^-?%d+$') then
        refuse(key, 'holds a field that is no integer')
      end
    end
  end
end

-- The window of an entity: "head;impressions;clicks;head's impressions;head's clicks;seen;incident;",
-- and in a field of its own the buckets before the head, "bucket=impressions,clicks " each. Those
-- are most of the text after five minutes, and only a new head or a late event needs them. (An
-- older version kept them behind the last semicolon.)
local PACKED = '^(%d+);(%d+);(%d+);(%d+);(%d+);(%d+);([^;]*);(.*)$'
local windows = {ad = {}, campaign = {}}
local HASHES = {ad = KEYS[3], campaign = KEYS[4]}
do
  local ids, moved = {ad = {}, campaign = {}}, {ad = {}, campaign = {}}
  at = FIRST_WINDOW
  for i = 1, WINDOWS do
    local list, id = ids[ARGV[at]], ARGV[at + 1]
    if list[#list] ~= id then list[#list + 1] = id end
    at = at + 5
  end
  for kind, list in pairs(ids) do
    local values = fetch('HMGET', HASHES[kind], list)
    for i, id in ipairs(list) do
      local window = {string.match(values[i] or '0;0;0;0;0;0;;', PACKED)}
      if not window[1] then refuse(HASHES[kind], 'is no window at ' .. id) end
      windows[kind][id] = window
    end
  end
  at = FIRST_WINDOW
  for i = 1, WINDOWS do
    local id, list = ARGV[at + 1], moved[ARGV[at]]
    if ARGV[at + 2] ~= windows[ARGV[at]][id][1] and list[#list] ~= id then list[#list + 1] = id end
    at = at + 5
  end
  for kind, list in pairs(moved) do
    local fields = {}
    for i, id in ipairs(list) do fields[i] = id .. CLOSED end
    local values = fetch('HMGET', HASHES[kind], fields)
    for i, id in ipairs(list) do windows[kind][id].closed = values[i] or nil end
  end
end
if foreign then return {2, foreign[1], foreign[2]} end
)lua";

constexpr std::string_view arithmetic_part = R"lua(
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
for i = 1, ADS + CAMPAIGNS do
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
  if i <= ADS then
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
-- The undated hour holds the most recent day that had events, and no money: a newer day replaces
-- it. It expires 48 h after its last write. Events of the last hour do not renew that with every
-- write: they find a key that was made within it, and given two hours more.
local today = {}
for i = 1, HOURS do
  add_dated(ARGV[at], at + 1, DATED_TTL)
  local prefix, day, late = ARGV[at + 6], ARGV[at + 7], ARGV[at + 8] == '1'
  local ttl = late and HOUR_TTL or HOUR_TTL + 7200
  seen_before = seen_before + 1
  local held = today[prefix] or before[seen_before] or ''
  local newer = day > held
  if newer then
    for m = 1, 3 do call('DEL', prefix .. MEMBERS[m]) end
  end
  if newer or late and day == held then call('SET', prefix .. DAY, day, 'EX', ttl) end
  today[prefix] = newer and day or held
  for m = 1, 3 do
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
for i = 1, DAYS do
  add_dated(ARGV[at], at + 1, DAILY_TTL)
  at = at + 6
end
)lua";

constexpr std::string_view lua_commit = R"lua(
at = FIRST_DEAD_LETTERS
for p = 1, PARTITIONS do
  local k, head = keys_of(p), head_of(p)
  local first = ARGV[head + 2] == '1'
  if first then call('HSET', KEYS[k + 1], 'base', ARGV[head]) end
  for i = 1, #BOOKS do
    local delta = ARGV[head + 2 + i]
    if first or delta ~= '0' then call('HINCRBY', KEYS[k + 1], BOOKS[i], delta) end
  end
  local ranges = tonumber(ARGV[head + 8])
  if ranges > 0 then
    -- Ranges of offsets by the last of each. Where they stand is part of what was counted: whoever
    -- decodes these records later must not take them for events.
    local places = {}
    for i = 1, ranges do
      places[2 * i - 1] = ARGV[at + 1]
      places[2 * i] = ARGV[at] .. '-' .. ARGV[at + 1]
      at = at + 2
    end
    call_in_chunks('ZADD', KEYS[k + 2], places)
    call('ZREMRANGEBYSCORE', KEYS[k + 2], '-inf', '(' .. ARGV[head + 7])
  end
  call('SET', KEYS[k], ARGV[head + 1])
end
return reply
)lua";

}  // namespace

std::string_view lua_arithmetic() {
    return arithmetic_part;
}

std::string flush_script_source() {
    std::string source = lua_names();
    for (std::string_view piece : {lua_guard, lua_check, arithmetic_part, lua_totals, lua_buckets,
                                   lua_anomalies(), lua_commit})
        source += piece;
    return source;
}

}  // namespace adtally::redis_sink
