#include "app/replay/statistics.hpp"

namespace adtally::replay {

void Statistics::events_read(std::uint64_t count) {
    std::lock_guard lock(mutex_);
    books_.events += count;
}

void Statistics::batch_acknowledged(std::uint64_t accepted) {
    std::lock_guard lock(mutex_);
    books_.batches += 1;
    books_.accepted += accepted;
}

void Statistics::rejected(std::string_view code, std::uint64_t count, std::string_view example) {
    constexpr std::size_t most_codes = 100;
    std::lock_guard lock(mutex_);
    books_.rejected += count;
    std::string key{code};
    if (books_.rejected_by_code.size() >= most_codes && !books_.rejected_by_code.contains(key)) {
        key = "other";
    }
    RejectedKind& kind = books_.rejected_by_code[key];
    if (kind.count == 0) {
        kind.example = example;
    }
    kind.count += count;
}

void Statistics::retried(std::string_view trouble) {
    std::lock_guard lock(mutex_);
    books_.retries += 1;
    books_.last_trouble = trouble;
}

ReplayResult Statistics::snapshot() const {
    std::lock_guard lock(mutex_);
    ReplayResult now = books_;
    now.unacknowledged = now.events - now.accepted - now.rejected;
    return now;
}

}  // namespace adtally::replay
