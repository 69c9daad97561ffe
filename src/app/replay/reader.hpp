// What every log format must be turned into: event JSON as the collector takes it, and its time.
//
// One row may be several events (an impression with its click) or none (a blank line, a header).
// A row that cannot be read is an error of that row alone; reading goes on with the next one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/replay/replay.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::replay {

struct ReplayEvent {
    std::string json;     // one line, without its end
    TimestampMs time{0};  // after shifting; 0: the event carries none
};

struct ReaderOptions {
    bool reverse = false;
    std::int64_t shift_ms = 0;
    std::string event_id_prefix{};
};

class EventReader {
public:
    virtual ~EventReader() = default;
    // Appends the next row's events; false after the last row.
    virtual Result<bool> next(std::vector<ReplayEvent>& into) = 0;
};

Result<std::unique_ptr<EventReader>> open_reader(Format format, const std::string& path,
                                                 const ReaderOptions& options);

// At most `max_bytes` of valid, printable UTF-8: bytes that are not UTF-8 become U+FFFD, control
// characters a blank, and the end is cut between characters.
std::string clean_text(std::string_view text, std::size_t max_bytes);

// Splits at every separator; "a,,b" has three fields. No quoting.
void split_fields(std::string_view line, char separator, std::vector<std::string_view>& into);

}  // namespace adtally::replay
