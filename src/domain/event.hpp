// The event: what happened to an ad (schema/event.schema.json).
//
// Every text is a view: into the request's body while collecting, into the log's record while
// processing. An Event owns nothing but the list of attributes and is reused from event to event.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "domain/ids.hpp"
#include "domain/money.hpp"

namespace adtally::domain {

enum class EventType : std::uint8_t { impression, click, conversion };

std::string_view to_string(EventType type);
bool parse_event_type(std::string_view text, EventType& into);

struct Event {
    EventType type = EventType::impression;
    AdId ad_id;
    CampaignId campaign_id;
    std::string_view event_id;  // empty until the collector assigns one
    PublisherId publisher_id;   // 0: absent
    SlotId slot_id;             // 0: absent
    std::string_view session_id;
    std::string_view user_id;
    TimestampMs timestamp;  // 0: absent, until the collector sets the time of receipt
    TimestampMs received_at;
    Micros cost;
    bool has_cost = false;  // an explicit 0 is not the same as no cost: the bid is used then
    Micros value;
    std::string_view currency = "USD";
    std::string_view page_url;
    std::string_view user_agent;
    std::string_view ip;
    std::vector<std::pair<std::string_view, std::string_view>> attributes;

    void clear();  // keeps the capacity of `attributes`
};

namespace limits {
inline constexpr std::size_t event_id_bytes = 64;
inline constexpr std::size_t session_id_bytes = 128;
inline constexpr std::size_t page_url_bytes = 2048;
inline constexpr std::size_t user_agent_bytes = 1024;
inline constexpr std::size_t ip_bytes = 45;
inline constexpr std::size_t attribute_entries = 32;
inline constexpr std::size_t attribute_bytes = 4096;
inline constexpr std::int64_t future_ms = 5 * 60 * 1000;
// 2000-01-01 … 9999-12-31: outside it a timestamp is a mistake of units, not a time.
inline constexpr std::int64_t min_timestamp_ms = 946'684'800'000;
inline constexpr std::int64_t max_timestamp_ms = 253'402'300'799'999;
}  // namespace limits

}  // namespace adtally::domain
