#include "platform/eventlog/tail_cache.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::size_t entry_overhead_bytes = 128;

}  // namespace

TailCache::TailCache(std::int32_t partitions, std::size_t max_bytes)
    : max_bytes_(max_bytes), partitions_(static_cast<std::size_t>(partitions)) {}

std::size_t TailCache::cost(const BlockBytes& bytes) {
    return bytes->capacity() + entry_overhead_bytes;
}

void TailCache::push(Partition partition, const BlockInfo& info, BlockBytes bytes) {
    auto& entries = partitions_[static_cast<std::size_t>(partition.value)];
    ADTALLY_ASSERT(entries.empty() || entries.back().end == info.base);
    bytes_ += cost(bytes);
    entries.push_back({info.base, info.end, std::move(bytes)});
    arrivals_.push_back(partition);
    while (bytes_ > max_bytes_) {
        auto& oldest = partitions_[static_cast<std::size_t>(arrivals_.front().value)];
        bytes_ -= cost(oldest.front().bytes);
        oldest.pop_front();
        arrivals_.pop_front();
    }
}

void TailCache::copy(Partition partition, Offset from, std::size_t max_bytes,
                     std::vector<BlockBytes>& to) const {
    const auto& entries = partitions_[static_cast<std::size_t>(partition.value)];
    if (entries.empty() || from < entries.front().base)
        return;
    auto entry = std::partition_point(entries.begin(), entries.end(),
                                      [&](const Entry& each) { return each.end <= from; });
    std::size_t taken = 0;
    for (; entry != entries.end() && taken < max_bytes; ++entry) {
        to.push_back(entry->bytes);
        taken += entry->bytes->size();
    }
}

void TailCache::clear() {
    bytes_ = 0;
    arrivals_.clear();
    for (auto& entries : partitions_)
        entries.clear();
}

}  // namespace adtally::eventlog
