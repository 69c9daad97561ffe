#include "pipeline/processor/operations/letter_box.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace adtally::operations {
namespace {

constexpr std::int64_t most_examined = 100'000;

class Walk {
public:
    Walk(eventlog::Reader& reader, const LetterFilter& filter, std::size_t limit)
        : reader_(reader), filter_(filter), limit_(limit) {
        batch_.wants_headers = true;
    }

    // True when the partition is finished, false when the page is.
    Result<bool> partition(Partition partition, Offset first) {
        ADTALLY_TRY(const auto ends, reader_.watermarks(partition));
        Offset at = std::max(first, ends.begin);
        if (filter_.from.value > 0 && at < ends.end) {
            ADTALLY_TRY(const auto begin, reader_.offset_at(partition, filter_.from));
            at = std::max(at, begin);
        }
        while (at < ends.end) {
            ADTALLY_TRY(reader_.read(partition, at, ends.end, batch_));
            for (std::size_t i = 0; i < batch_.records.size(); ++i) {
                // Times ascend along a partition: nothing behind this one is wanted.
                if (batch_.records[i].appended_at >= filter_.to)
                    return true;
                at = Offset{batch_.records[i].offset.value + 1};
                ++examined_;
                add(letter_of(partition, batch_.records[i], batch_.headers_of(i)));
                if (page.letters.size() == limit_ || examined_ == most_examined) {
                    page.next = Position{partition, at};
                    return false;
                }
            }
        }
        return true;
    }

    Page page;

private:
    void add(Letter letter) {
        if (filter_.reason.empty() || letter.reason == filter_.reason)
            page.letters.push_back(std::move(letter));
    }

    eventlog::Reader& reader_;
    const LetterFilter& filter_;
    std::size_t limit_;
    std::int64_t examined_ = 0;
    eventlog::FetchedBatch batch_;
};

}  // namespace

Result<Page> LetterBox::list(const LetterFilter& filter, Position first, std::size_t limit) {
    ADTALLY_TRY(const auto info, log_.topic(topic_));
    ADTALLY_TRY(auto reader, log_.reader(topic_));
    Walk walk(*reader, filter, limit);
    for (Partition at = first.partition; at.value < info.partitions; ++at.value) {
        ADTALLY_TRY(const bool finished,
                    walk.partition(at, at == first.partition ? first.offset : Offset{0}));
        if (!finished)
            break;
    }
    return std::move(walk.page);
}

Result<Letter> LetterBox::find(Position position) {
    ADTALLY_TRY(const auto info, log_.topic(topic_));
    const Error missing{ErrorCode::not_found,
                        fmt::format("there is no dead letter {}: it was never written, or "
                                    "retention has removed it",
                                    to_string(position))};
    if (position.partition.value >= info.partitions)
        return missing;
    ADTALLY_TRY(auto reader, log_.reader(topic_));
    ADTALLY_TRY(const auto ends, reader->watermarks(position.partition));
    if (position.offset < ends.begin || position.offset >= ends.end)
        return missing;
    eventlog::FetchedBatch batch;
    batch.wants_headers = true;
    ADTALLY_TRY(reader->read(position.partition, position.offset, Offset{position.offset.value + 1},
                             batch));
    if (batch.records.empty())
        return missing;
    return letter_of(position.partition, batch.records.front(), batch.headers_of(0));
}

}  // namespace adtally::operations
