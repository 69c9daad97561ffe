// Canonical records for tests of the processor.
#pragma once

#include <string>

#include "domain/codec.hpp"
#include "domain/event.hpp"

namespace adtally::processor {

struct TestEvent {
    domain::EventType type = domain::EventType::impression;
    std::int64_t ad = 1;
    std::int64_t campaign = 1;
    std::string id = "e-1";
    std::int64_t time_ms = 1'705'327'402'000;  // 2024-01-15T14:03:22Z
    std::int64_t cost_micros = 0;
    std::string session{};
    std::int64_t received_ms = 0;  // 0: at the event's own time
};

inline domain::Event to_event(const TestEvent& from) {
    domain::Event event;
    event.type = from.type;
    event.ad_id = domain::AdId{from.ad};
    event.campaign_id = domain::CampaignId{from.campaign};
    event.event_id = from.id;
    event.timestamp = TimestampMs{from.time_ms};
    event.received_at = TimestampMs{from.received_ms != 0 ? from.received_ms : from.time_ms};
    event.cost = domain::Micros{from.cost_micros};
    event.has_cost = true;
    event.session_id = from.session;
    return event;
}

inline std::string record(const TestEvent& from) {
    std::string json;
    domain::append_canonical(to_event(from), json);
    return json;
}

}  // namespace adtally::processor
