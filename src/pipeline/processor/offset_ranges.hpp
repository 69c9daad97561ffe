// A set of offsets, kept as ranges: poison comes in rows.
//
// Threads. Values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include "base/strong.hpp"

namespace adtally::processor {

struct OffsetRange {
    Offset first;
    Offset last;  // inclusive
    friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};

class OffsetRanges {
public:
    void add(Offset offset) { add(OffsetRange{offset, offset}); }
    // In any order; what touches becomes one.
    void add(OffsetRange range) {
        auto begin = std::lower_bound(
            ranges_.begin(), ranges_.end(), range.first,
            [](const OffsetRange& each, Offset at) { return each.last.value + 1 < at.value; });
        auto end = begin;
        for (; end != ranges_.end() && end->first.value <= range.last.value + 1; ++end) {
            range.first = std::min(range.first, end->first);
            range.last = std::max(range.last, end->last);
        }
        if (begin == end) {
            ranges_.insert(begin, range);
            return;
        }
        *begin = range;
        ranges_.erase(std::next(begin), end);
    }
    void add(std::span<const OffsetRange> ranges) {
        for (const OffsetRange& range : ranges)
            add(range);
    }
    bool contains(Offset offset) const {
        if (ranges_.empty() || ranges_.back().last < offset)
            return false;
        const auto at = std::lower_bound(
            ranges_.begin(), ranges_.end(), offset,
            [](const OffsetRange& each, Offset wanted) { return each.last < wanted; });
        return at->first <= offset;
    }
    // Forgets the ranges that end before `begin`.
    void trim_below(Offset begin) {
        const auto kept = std::find_if(ranges_.begin(), ranges_.end(),
                                       [&](const OffsetRange& each) { return each.last >= begin; });
        ranges_.erase(ranges_.begin(), kept);
    }
    void clear() { ranges_.clear(); }
    std::size_t size() const { return ranges_.size(); }  // ranges
    std::span<const OffsetRange> ranges() const { return ranges_; }
    friend bool operator==(const OffsetRanges&, const OffsetRanges&) = default;

private:
    std::vector<OffsetRange> ranges_;  // ascending, apart from each other
};

}  // namespace adtally::processor
