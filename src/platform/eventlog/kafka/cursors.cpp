#include "platform/eventlog/kafka/cursors.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <string>

#include "platform/eventlog/kafka/range_reader.hpp"

namespace adtally::eventlog::kafka {
namespace {

// All partitions are taken up anew for it.
constexpr Milliseconds try_again_after{1'000};

}  // namespace

void MessageDeleter::operator()(rd_kafka_message_s* message) const {
    rd_kafka_message_destroy(message);
}

void Cursor::fail(Error error) {
    failure = std::move(error);
    told = false;
    again = Deadline::after(try_again_after);
}

void Cursor::seek(Offset to) {
    *this = Cursor{};
    sought = true;
    next = to;
}

Cursor* Cursors::find(Partition partition) {
    const auto found = cursors_.find(partition);
    return found == cursors_.end() ? nullptr : &found->second;
}

std::vector<Partition> Cursors::clear() {
    std::vector<Partition> all;
    all.reserve(cursors_.size());
    for (const auto& [partition, cursor] : cursors_)
        all.push_back(partition);
    cursors_.clear();
    return all;
}

template <class Condition>
std::pair<const Partition, Cursor>* Cursors::next_that(Partition after,
                                                       const Condition& condition) {
    auto at = cursors_.upper_bound(after);
    for (std::size_t i = 0; i < cursors_.size(); ++i, ++at) {
        if (at == cursors_.end())
            at = cursors_.begin();
        if (condition(at->second))
            return &*at;
    }
    return nullptr;
}

bool Cursors::take(FetchedBatch& batch, std::size_t max_records) {
    auto* found = next_that(turn_, [](const Cursor& cursor) { return !cursor.waiting.empty(); });
    if (found == nullptr)
        return false;
    auto& [partition, cursor] = *found;
    turn_ = batch.partition = partition;
    const std::size_t count = std::min(max_records, cursor.waiting.size());
    std::size_t bytes = 0;
    for (std::size_t k = 0; k < count; ++k)
        bytes += size_of(*cursor.waiting[k]);
    auto storage = std::make_shared<std::string>();
    storage->reserve(bytes);
    for (std::size_t k = 0; k < count; ++k)
        copy_to(*cursor.waiting[k], *storage, batch);
    cursor.waiting.erase(cursor.waiting.begin(),
                         cursor.waiting.begin() + static_cast<std::ptrdiff_t>(count));
    batch.storage = std::move(storage);
    return true;
}

std::pair<const Partition, Cursor>* Cursors::failed(bool again) {
    auto* found = next_that(
        told_, [](const Cursor& cursor) { return cursor.failure.has_value() && !cursor.told; });
    if (found == nullptr && again)
        found = next_that(told_, [](const Cursor& cursor) { return cursor.failure.has_value(); });
    if (found != nullptr)
        told_ = found->first;
    return found;
}

}  // namespace adtally::eventlog::kafka
