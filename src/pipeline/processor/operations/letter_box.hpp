// Reads ad-events-dlt page by page: in the order of partitions and offsets, or the newest first.
//
// Problem. Who walks through letters makes new ones while doing so (what is redriven and still
// wrong comes back), and would never come to an end. Design. The first page says where the
// partitions ended; the later ones are told that and go no further. Limits. A page ends with
// `limit` letters, a MiB of them, or after 100,000 records; `next` says where to go on. Retention
// bounds what can be found. Threads. One call at a time; each opens a reader of its own.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
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

// Where each partition ends for who asks, the partitions in order: "17,0,4".
using Ends = std::vector<Offset>;
std::string to_string(const Ends& ends);
std::optional<Ends> parse_ends(std::string_view text);

inline constexpr std::size_t page_bytes = 1u << 20;  // of keys and values; at least one letter

struct Page {
    std::vector<Letter> letters;
    std::optional<Position> next;  // none at the end
    Ends ends;                     // for the next page
};

struct NewestPage {
    std::vector<Letter> letters;  // the newest first
    Ends ends;                    // for the next page, of older ones
    bool more = false;            // there may be older ones
};

class LetterBox {
public:
    LetterBox(eventlog::EventLog& log, std::string topic) : log_(log), topic_(std::move(topic)) {}

    // From `first` on, up to `ends`, or to where the partitions end now. `not_found` as long as the
    // log has no such topic, `invalid_argument` for ends of another number of partitions.
    Result<Page> list(const LetterFilter& filter, Position first, std::size_t limit,
                      std::optional<Ends> ends = {});
    // Those below `ends`, or below where the partitions end now.
    Result<NewestPage> newest(const LetterFilter& filter, std::size_t limit,
                              std::optional<Ends> ends = {});
    Result<Letter> find(Position position);
    // The first offset of each partition that is still there.
    Result<std::vector<Offset>> begins();
    const std::string& topic() const { return topic_; }

private:
    Result<Ends> ends_of(eventlog::Reader& reader, std::optional<Ends> given);

    eventlog::EventLog& log_;
    std::string topic_;
};

}  // namespace adtally::operations
