// Reads ad-events-dlt page by page, in the order of partitions and offsets.
//
// Limits. A page ends with `limit` letters or after 100,000 records; `next` says where to go on.
// Retention bounds what can be found.
// Threads. One call at a time; each opens a reader of its own.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "pipeline/processor/operations/dead_letter.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::operations {

struct LetterFilter {
    std::string reason;                                        // empty: any
    TimestampMs from{0};                                       // written at or after
    TimestampMs to{std::numeric_limits<std::int64_t>::max()};  // and before
};

struct Page {
    std::vector<Letter> letters;
    std::optional<Position> next;  // none at the end
};

class LetterBox {
public:
    LetterBox(eventlog::EventLog& log, std::string topic) : log_(log), topic_(std::move(topic)) {}

    // From `first` on. `not_found` as long as the log has no such topic.
    Result<Page> list(const LetterFilter& filter, Position first, std::size_t limit);
    Result<Letter> find(Position position);
    const std::string& topic() const { return topic_; }

private:
    eventlog::EventLog& log_;
    std::string topic_;
};

}  // namespace adtally::operations
