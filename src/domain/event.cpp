#include "domain/event.hpp"

namespace adtally::domain {

std::string_view to_string(EventType type) {
    switch (type) {
        case EventType::impression:
            return "impression";
        case EventType::click:
            return "click";
        case EventType::conversion:
            return "conversion";
    }
    return "impression";
}

bool parse_event_type(std::string_view text, EventType& into) {
    for (EventType type : {EventType::impression, EventType::click, EventType::conversion}) {
        if (text == to_string(type)) {
            into = type;
            return true;
        }
    }
    return false;
}

void Event::clear() {
    auto kept = std::move(attributes);
    kept.clear();
    *this = Event{};
    attributes = std::move(kept);
}

}  // namespace adtally::domain
