#include "pipeline/processor/operations/newest_letters.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace adtally::operations {
namespace {

constexpr std::int64_t most_examined = 100'000;
constexpr std::int64_t stretch_records = 500;

}  // namespace

NewestLetters::NewestLetters(eventlog::Reader& reader, const LetterFilter& filter)
    : reader_(reader), filter_(filter) {
    batch_.wants_headers = true;
}

Status NewestLetters::open(const Ends& ends) {
    places_.reserve(ends.size());
    for (std::size_t i = 0; i < ends.size(); ++i) {
        const Partition partition{static_cast<std::int32_t>(i)};
        ADTALLY_TRY(auto there, reader_.watermarks(partition));
        there.end = std::min(there.end, ends[i]);
        if (filter_.to.value < std::numeric_limits<std::int64_t>::max() &&
            there.begin < there.end) {
            ADTALLY_TRY(const auto to, reader_.offset_at(partition, filter_.to));
            there.end = std::min(there.end, to);
        }
        if (filter_.from.value > 0 && there.begin < there.end) {
            ADTALLY_TRY(const auto from, reader_.offset_at(partition, filter_.from));
            there.begin = std::max(there.begin, from);
        }
        there.begin = std::min(there.begin, there.end);
        places_.push_back({partition, there.begin, there.end, {}});
    }
    return ok();
}

// Which one is the newest is known only when each place has one, or has none left.
Result<std::optional<Letter>> NewestLetters::next() {
    Place* newest = nullptr;
    for (Place& place : places_) {
        ADTALLY_TRY(const bool known, fill(place));
        if (!known)
            return std::optional<Letter>{};
        if (place.found.empty())
            continue;
        if (newest == nullptr || newest->found.back().written_at < place.found.back().written_at)
            newest = &place;
    }
    if (newest == nullptr)
        return std::optional<Letter>{};
    std::optional<Letter> letter{std::move(newest->found.back())};
    newest->found.pop_back();
    return letter;
}

Result<bool> NewestLetters::fill(Place& place) {
    while (place.found.empty() && place.begin < place.low) {
        if (examined_ >= most_examined)
            return false;
        ADTALLY_TRY(stretch(place));
    }
    return true;
}

Status NewestLetters::stretch(Place& place) {
    const std::size_t most_bytes = page_bytes / places_.size();
    const Offset to = place.low;
    Offset at = std::max(place.begin, Offset{to.value - stretch_records});
    place.low = at;
    std::size_t bytes = 0;
    while (at < to) {
        ADTALLY_TRY(reader_.read(place.partition, at, to, batch_));
        // The rest has no records, only offsets: as behind a transaction. They were looked at, too.
        if (batch_.records.empty()) {
            examined_ += to.value - at.value;
            break;
        }
        for (std::size_t i = 0; i < batch_.records.size(); ++i) {
            at = Offset{batch_.records[i].offset.value + 1};
            ++examined_;
            Letter letter = letter_of(place.partition, batch_.records[i], batch_.headers_of(i));
            if (!filter_.reason.empty() && letter.reason != filter_.reason)
                continue;
            bytes += letter.key.size() + letter.value.size();
            place.found.push_back(std::move(letter));
            // The older ones are read again when they are due.
            while (bytes > most_bytes && place.found.size() > 1) {
                const Letter& oldest = place.found.front();
                bytes -= oldest.key.size() + oldest.value.size();
                place.low = Offset{oldest.position.offset.value + 1};
                place.found.pop_front();
            }
        }
    }
    return ok();
}

// Of those that were found and not given out, the newest is the first of the next page.
Ends NewestLetters::ends() const {
    Ends ends;
    ends.reserve(places_.size());
    for (const Place& place : places_)
        ends.push_back(place.found.empty() ? place.low
                                           : Offset{place.found.back().position.offset.value + 1});
    return ends;
}

bool NewestLetters::more() const {
    return std::any_of(places_.begin(), places_.end(), [](const Place& place) {
        return !place.found.empty() || place.begin < place.low;
    });
}

}  // namespace adtally::operations
