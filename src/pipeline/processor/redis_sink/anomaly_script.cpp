// The Lua of the anomaly rules: the part of the flush that finds incidents, and the sweep that
// closes those that went quiet.
//
// A window is a packed text in a hash of all ads (or campaigns): two calls a flush read and write
// all of them. Its older buckets lie beside it and are read, parsed and written only when event
// time moves on to the next ten seconds: with them a flush grew dearer for the first five minutes.
#include <fmt/format.h>

#include "pipeline/processor/redis_sink/flush_script.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"
#include "pipeline/processor/redis_sink/script_parts.hpp"

namespace adtally::redis_sink {
namespace {

constexpr std::string_view flush_part = R"lua(
local function report(id, rule, entity, entity_id, state, observed, threshold, event_ms, extra)
  local fields = {'id', id, 'rule', rule, 'entity', entity, 'entity_id', entity_id, 'state', state,
                  'observed', observed, 'threshold', threshold, 'event_time_ms', event_ms,
                  'detected_at_ms', NOW}
  for _, field in ipairs(extra) do fields[#fields + 1] = field end
  call('XADD', KEYS[1], 'MAXLEN', KEPT, '*', unpack(fields))
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
      call('SADD', KEYS[2], kind .. ':' .. id)
      tell(incident, 'OPEN', CTR_OPEN)
    end
  elseif clicks * 1000000 < CTR_CLOSE * impressions then
    call('SREM', KEYS[2], kind .. ':' .. id)
    tell(incident, 'RESOLVED', CTR_CLOSE)
    incident = ''
  end
  return incident
end
-- Without the buckets that the window has left; and the sums of what stays.
local function prune(closed, head)
  local kept, impressions, clicks = {}, 0, 0
  for bucket, i, c in string.gmatch(closed, '(%d+)=(%d+),(%d+) ') do
    if tonumber(bucket) > head - WINDOW then
      kept[#kept + 1] = bucket .. '=' .. i .. ',' .. c .. ' '
      impressions, clicks = impressions + i, clicks + c
    end
  end
  return table.concat(kept), impressions, clicks
end
local function add_late(closed, bucket, i, c)
  local found
  closed = string.gsub(closed, '(%d+)=(%d+),(%d+) ', function(b, old_i, old_c)
    if b ~= bucket then return nil end
    found = true
    return b .. '=' .. text(old_i + i) .. ',' .. text(old_c + c) .. ' '
  end)
  return found and closed or closed .. bucket .. '=' .. i .. ',' .. c .. ' '
end
local changed, emptied = {ad = {}, campaign = {}}, {ad = {}, campaign = {}}
at = FIRST_WINDOW
local w = 1
while w <= WINDOWS do
  local kind, id = ARGV[at], ARGV[at + 1]
  local window = windows[kind][id]
  local head, impressions, clicks = tonumber(window[1]), tonumber(window[2]), tonumber(window[3])
  local head_i, head_c, incident = tonumber(window[4]), tonumber(window[5]), window[7]
  local stored = window.closed or ''
  local closed = stored ~= '' and stored or window[8]
  while w <= WINDOWS and ARGV[at] == kind and ARGV[at + 1] == id do
    local bucket, i, c = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
    if bucket > head then
      if head_i + head_c > 0 then
        closed = closed .. text(head) .. '=' .. text(head_i) .. ',' .. text(head_c) .. ' '
      end
      head, head_i, head_c = bucket, 0, 0
      closed, impressions, clicks = prune(closed, head)
    end
    if bucket == head then
      head_i, head_c = head_i + i, head_c + c
    elseif bucket > head - WINDOW then
      closed = add_late(closed, ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    else
      i, c = 0, 0  -- older than the window
    end
    impressions, clicks = impressions + i, clicks + c
    at, w = at + 5, w + 1
  end
  incident = judge(kind, id, head, impressions, clicks, incident)
  local list = changed[kind]
  list[#list + 1] = id
  list[#list + 1] = string.format('%d;%d;%d;%d;%d;%s;%s;', head, impressions, clicks, head_i,
                                  head_c, NOW, incident)
  if closed ~= stored then
    if closed == '' then
      emptied[kind][#emptied[kind] + 1] = id .. CLOSED
    else
      list[#list + 1] = id .. CLOSED
      list[#list + 1] = closed
    end
  end
end
for kind, list in pairs(changed) do call_in_chunks('HSET', HASHES[kind], list) end
for kind, list in pairs(emptied) do call_in_chunks('HDEL', HASHES[kind], list) end
at = FIRST_SESSION
for i = 1, SESSIONS do
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

constexpr std::string_view lua_sweep = R"lua(
local HASHES = {ad = KEYS[3], campaign = KEYS[4]}
local PACKED = '^(%d+);(%d+);(%d+);(%d+);(%d+);(%d+);([^;]*);(.*)$'
local now, silence, closed = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for _, member in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local kind, id = string.match(member, '^(%a+):(%d+)$')
  local packed = HASHES[kind] and redis.call('HGET', HASHES[kind], id)
  local head, impressions, clicks, head_i, head_c, seen, incident, tail =
      string.match(packed or '', PACKED)
  if not head or incident == '' then
    redis.call('SREM', KEYS[1], member)
  elseif now - tonumber(seen) > silence then
    redis.call('SREM', KEYS[1], member)
    redis.call('HSET', HASHES[kind], id, table.concat(
        {head, impressions, clicks, head_i, head_c, seen, '', tail}, ';'))
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
      redis.call('HDEL', hash, step[2][f], step[2][f] .. CLOSED)
    end
  end
end
return {closed, cursors[1], cursors[2]}
)lua";

}  // namespace

std::string lua_names() {
    std::string list;
    for (std::string_view member : keys::counters)
        list += fmt::format("'{}',", member);
    return fmt::format(
        "local MEMBERS = {{{}}}\n"
        "local CTR, CPC, CPM, DAY = '{}', '{}', '{}', '{}'\n"
        "local TOP = {{impressions = '{}', clicks = '{}', ctr = '{}', cost = '{}'}}\n"
        "local HOUR_TTL, DATED_TTL, DAILY_TTL, SESSION_TTL = {}, {}, {}, {}\n"
        "local KEPT, WINDOW, BUCKET_MS, CLOSED = {}, {}, {}, '{}'\n"
        "local CHUNK = 4000\n",  // arguments of one call: Lua's stack ends near 8,000
        list, keys::ctr, keys::cpc, keys::cpm, keys::day_held, keys::top_ads("impressions"),
        keys::top_ads("clicks"), keys::top_ads("ctr"), keys::top_ads("cost"), keys::hour_of_day_ttl,
        keys::dated_hour_ttl, keys::daily_ttl, keys::session_ttl, keys::anomalies_kept,
        processor::ctr_window_buckets, processor::ctr_bucket_ms, keys::closed_buckets);
}

std::string_view lua_anomalies() {
    return flush_part;
}

std::string sweep_script_source() {
    return lua_names() + std::string(lua_sweep);
}

}  // namespace adtally::redis_sink
