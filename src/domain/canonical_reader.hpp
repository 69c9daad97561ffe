// Reads what append_canonical wrote, and nothing else.
//
// Problem. Of a processor's work on an event more than half was parsing JSON, though nearly every
// record of the log was written by our own encoder, whose bytes are known but for the values.
//
// Design. The members are expected in the encoder's order and spelling, one comparison a name. What
// is not exactly so (another writer, escapes, a newer member) is not refused but left to the
// general reader, which decides from the start: so whatever is read here is what it would have
// read, by the same rules of event_fields.
//
// Threads. One.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "domain/event.hpp"
#include "domain/event_fields.hpp"

namespace adtally::domain {

class CanonicalReader {
public:
    // False when `json` is not canonical or not a valid event; `into` is then anything. Sixteen
    // bytes behind its end must be readable.
    bool read(std::string_view json, Event& into);

private:
    template <std::size_t size>
    bool take(const char (&expected)[size]);
    bool read_text(Event& into, Field field);
    bool read_integer(Event& into, Field field);
    bool read_time(Event& into, Field field);
    bool read_attributes(Event& into);
    // The text up to its closing quote, which is taken too.
    bool take_text(std::string_view& text);
    bool days_of(const char* date, std::int64_t& days);

    const char* at_ = nullptr;
    const char* end_ = nullptr;
    // Nearly every time of a log is of the same day as the one before.
    std::array<char, 10> last_date_{};
    std::int64_t last_days_ = 0;
};

}  // namespace adtally::domain
