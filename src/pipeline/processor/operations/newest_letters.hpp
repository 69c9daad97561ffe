// Letters from the newest on: partitions are read backwards, a stretch at a time, and merged by the
// time of writing.
//
// Limits. Of each partition a stretch's newest are held, a MiB of all together or one letter each.
// After 100,000 records the search ends; ends() says where to go on.
// Threads. One.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "pipeline/processor/operations/letter_box.hpp"

namespace adtally::operations {

class NewestLetters {
public:
    // Both must outlive it.
    NewestLetters(eventlog::Reader& reader, const LetterFilter& filter);

    Status open(const Ends& ends);
    // Nothing when there are no more, or when the search has read enough.
    Result<std::optional<Letter>> next();
    // What was not given out yet lies below these.
    Ends ends() const;
    bool more() const;

private:
    struct Place {
        Partition partition;
        Offset begin;
        Offset low;                // from here on everything was looked at
        std::deque<Letter> found;  // ascending; not given out yet
    };
    // Reads backwards until the place has a letter; false when it may read no more.
    Result<bool> fill(Place& place);
    Status stretch(Place& place);

    eventlog::Reader& reader_;
    const LetterFilter& filter_;
    std::vector<Place> places_;
    std::int64_t examined_ = 0;
    eventlog::FetchedBatch batch_;
};

}  // namespace adtally::operations
