#include "pipeline/processor/operations/letter_box.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/validation.hpp"
#include "pipeline/processor/operations/newest_letters.hpp"

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
    Result<bool> partition(Partition partition, Offset first, Offset end) {
        ADTALLY_TRY(auto ends, reader_.watermarks(partition));
        ends.end = std::min(ends.end, end);
        Offset at = std::max(first, ends.begin);
        if (filter_.from.value > 0 && at < ends.end) {
            ADTALLY_TRY(const auto begin, reader_.offset_at(partition, filter_.from));
            at = std::max(at, begin);
        }
        while (at < ends.end) {
            ADTALLY_TRY(reader_.read(partition, at, ends.end, batch_));
            if (batch_.records.empty())
                break;  // offsets without records, up to the end
            for (std::size_t i = 0; i < batch_.records.size(); ++i) {
                // Times ascend along a partition: nothing behind this one is wanted.
                if (batch_.records[i].appended_at >= filter_.to)
                    return true;
                at = Offset{batch_.records[i].offset.value + 1};
                ++examined_;
                add(letter_of(partition, batch_.records[i], batch_.headers_of(i)));
                if (page.letters.size() == limit_ || bytes_ >= page_bytes ||
                    examined_ == most_examined) {
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
        if (!filter_.reason.empty() && letter.reason != filter_.reason)
            return;
        bytes_ += letter.key.size() + letter.value.size();
        page.letters.push_back(std::move(letter));
    }

    eventlog::Reader& reader_;
    const LetterFilter& filter_;
    std::size_t limit_;
    std::size_t bytes_ = 0;
    std::int64_t examined_ = 0;
    eventlog::FetchedBatch batch_;
};

}  // namespace

std::string to_string(const Ends& ends) {
    std::string text;
    for (const Offset end : ends)
        text += fmt::format("{}{}", text.empty() ? "" : ",", end.value);
    return text;
}

std::optional<Ends> parse_ends(std::string_view text) {
    constexpr std::size_t most_partitions = 10'000;
    Ends ends;
    while (true) {
        const std::size_t comma = text.find(',');
        const auto end = domain::parse_decimal(text.substr(0, comma));
        if (!end || ends.size() == most_partitions)
            return std::nullopt;
        ends.push_back(Offset{*end});
        if (comma == std::string_view::npos)
            return ends;
        text.remove_prefix(comma + 1);
    }
}

Result<Ends> LetterBox::ends_of(eventlog::Reader& reader, std::optional<Ends> given) {
    ADTALLY_TRY(const auto info, log_.topic(topic_));
    const auto partitions = static_cast<std::size_t>(info.partitions);
    if (given && given->size() != partitions)
        return Error{
            ErrorCode::invalid_argument,
            fmt::format("ends must be {} offsets, one of each partition, as the first page "
                        "answered them",
                        partitions)};
    if (given)
        return std::move(*given);
    Ends ends;
    ends.reserve(partitions);
    for (Partition at{0}; at.value < info.partitions; ++at.value) {
        ADTALLY_TRY(const auto now, reader.watermarks(at));
        ends.push_back(now.end);
    }
    return ends;
}

Result<Page> LetterBox::list(const LetterFilter& filter, Position first, std::size_t limit,
                             std::optional<Ends> ends) {
    ADTALLY_TRY(const auto info, log_.topic(topic_));
    ADTALLY_TRY(auto reader, log_.reader(topic_));
    Walk walk(*reader, filter, limit);
    ADTALLY_TRY(walk.page.ends, ends_of(*reader, std::move(ends)));
    for (Partition at = first.partition; at.value < info.partitions; ++at.value) {
        ADTALLY_TRY(const bool finished,
                    walk.partition(at, at == first.partition ? first.offset : Offset{0},
                                   walk.page.ends[static_cast<std::size_t>(at.value)]));
        if (!finished)
            break;
    }
    return std::move(walk.page);
}

Result<NewestPage> LetterBox::newest(const LetterFilter& filter, std::size_t limit,
                                     std::optional<Ends> ends) {
    ADTALLY_TRY(auto reader, log_.reader(topic_));
    ADTALLY_TRY(auto from, ends_of(*reader, std::move(ends)));
    NewestLetters letters(*reader, filter);
    ADTALLY_TRY(letters.open(from));
    NewestPage page;
    std::size_t bytes = 0;
    while (page.letters.size() < limit && bytes < page_bytes) {
        ADTALLY_TRY(auto letter, letters.next());
        if (!letter)
            break;
        bytes += letter->key.size() + letter->value.size();
        page.letters.push_back(std::move(*letter));
    }
    page.ends = letters.ends();
    page.more = letters.more();
    return page;
}

Result<std::vector<Offset>> LetterBox::begins() {
    ADTALLY_TRY(const auto info, log_.topic(topic_));
    ADTALLY_TRY(auto reader, log_.reader(topic_));
    std::vector<Offset> begins;
    begins.reserve(static_cast<std::size_t>(info.partitions));
    for (Partition at{0}; at.value < info.partitions; ++at.value) {
        ADTALLY_TRY(const auto now, reader->watermarks(at));
        begins.push_back(now.begin);
    }
    return begins;
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
