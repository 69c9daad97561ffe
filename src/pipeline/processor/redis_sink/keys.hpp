// Every Redis key of the processor, in one place.
//
// The flush script gets whole key prefixes from here and appends only the member names below, which
// it gets from here as well: there is no second spelling of a key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/strong.hpp"
#include "domain/time_bucket.hpp"
#include "pipeline/processor/deltas.hpp"

namespace adtally::redis_sink::keys {

// Members of a metrics prefix, in the order in which the script counts them.
inline constexpr std::string_view counters[] = {"impressions", "clicks", "conversions",
                                                "cost_nanos", "value_nanos"};
inline constexpr std::string_view ctr = "ctr";
inline constexpr std::string_view cpc = "cpc";
inline constexpr std::string_view cpm = "cpm";
// Which day the undated hour holds.
inline constexpr std::string_view day_held = "day";

// Prefixes end with a colon; append a member.
std::string entity(processor::Entity entity, std::int64_t id);     // ad:metrics:1:
std::string hour_of_day(std::int64_t ad, domain::LocalHour hour);  // hourly:metrics:1:14:
std::string dated_hour(std::int64_t ad, domain::LocalHour hour);  // hourly:metrics:1:2024-01-15T14:
std::string daily(std::int64_t ad, domain::LocalDay day);         // daily:metrics:1:2024-01-15:

std::string session_clicks(std::string_view session);             // session:clicks:s-1
std::string offset(std::string_view topic, Partition partition);  // adtally:offset:ad-events:0
std::string books(std::string_view topic, Partition partition);   // adtally:books:ad-events:0
// A sorted set: "12-17" for offsets 12 to 17, by the last of them.
// adtally:dead-lettered:ad-events:0
std::string dead_lettered(std::string_view topic, Partition partition);
std::string log_binding(std::string_view topic);     // adtally:log:ad-events
std::string counting_rules(std::string_view topic);  // adtally:rules:ad-events
std::string delivered(std::string_view sink);        // adtally:alerts:log:delivered
std::string delivery_lease(std::string_view sink);   // adtally:alerts:log:lease
std::string intake(std::string_view topic);          // adtally:intake:ad-events
std::string reconciliation(std::string_view topic, std::int64_t number);
std::string open_reconciliation(std::string_view topic);
std::string rebuild(std::string_view run);          // adtally:rebuild:17053…
std::string rebuild_lease(std::string_view topic);  // adtally:rebuild-lease:ad-events
std::string redriven(std::string_view origin);      // adtally:redriven:ad-events:3-17:…
// Which of the letters there were redriven: origins by offset.
// adtally:redriven-letters:ad-events-dlt:0
std::string redriven_letters(std::string_view topic, Partition partition);
std::string top_ads(std::string_view by);  // top:ads:ctr

inline constexpr std::string_view anomalies = "anomalies";
// Hashes: an entity's id to its sliding window, packed (flush_script.cpp says how).
inline constexpr std::string_view ad_windows = "adtally:ctr-windows:ad";
inline constexpr std::string_view campaign_windows = "adtally:ctr-windows:campaign";
// Behind the id: the field of the buckets before the newest.
inline constexpr std::string_view closed_buckets = ":closed";
inline constexpr std::string_view open_incidents = "adtally:incidents:open";

std::string_view name_of(processor::Entity entity);  // "ad", "campaign"

// Lifetimes in seconds.
inline constexpr std::int64_t hour_of_day_ttl = 48 * 3600;
inline constexpr std::int64_t dated_hour_ttl = 35 * 24 * 3600;
inline constexpr std::int64_t daily_ttl = 400LL * 24 * 3600;
inline constexpr std::int64_t session_ttl = 30 * 60;
inline constexpr std::int64_t reconciliation_ttl = 24 * 3600;
// After retention has removed the letter.
inline constexpr std::int64_t redriven_ttl = 30LL * 24 * 3600;
inline constexpr std::int64_t anomalies_kept = 10'000;

}  // namespace adtally::redis_sink::keys
