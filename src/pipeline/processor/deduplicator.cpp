#include "pipeline/processor/deduplicator.hpp"

#include <sodium.h>
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "base/assert.hpp"

namespace adtally::processor {
namespace {

constexpr std::size_t smallest_table = 1024;
constexpr int slots_swept_per_insert = 4;

std::uint32_t seen_of(TimestampMs at) {
    return static_cast<std::uint32_t>(at.value);
}

}  // namespace

HashKey random_hash_key() {
    if (sodium_init() < 0)
        throw std::runtime_error("libsodium cannot start: the system has no random source");
    HashKey key;
    static_assert(crypto_shorthash_siphashx24_KEYBYTES == std::tuple_size_v<HashKey>);
    randombytes_buf(key.data(), key.size());
    return key;
}

Deduplicator::Deduplicator(Milliseconds window, const HashKey& key)
    : window_(window),
      remembered_(static_cast<std::uint32_t>(remembered(window).count())),
      key_(key),
      slots_(smallest_table) {
    // Half of the clock's cycle (24 days) separates "old" from "new" beyond doubt.
    ADTALLY_ASSERT(window.count() > 0 && remembered(window).count() < (std::int64_t{1} << 31));
}

Deduplicator::Key Deduplicator::key_of(domain::EventType type, std::string_view event_id) const {
    std::array<unsigned char, 1 + domain::limits::event_id_bytes> input;
    ADTALLY_ASSERT(event_id.size() <= domain::limits::event_id_bytes);
    input[0] = static_cast<unsigned char>(type);
    std::memcpy(input.data() + 1, event_id.data(), event_id.size());
    std::array<unsigned char, crypto_shorthash_siphashx24_BYTES> hash;
    crypto_shorthash_siphashx24(hash.data(), input.data(), event_id.size() + 1, key_.data());

    Key key;
    std::memcpy(&key.high, hash.data(), sizeof key.high);
    std::memcpy(&key.low, hash.data() + sizeof key.high, sizeof key.low);
    if (key.high == 0)
        key.high = 1;  // 0 is a free slot
    return key;
}

std::optional<TimestampMs> Deduplicator::seen_at(domain::EventType type, std::string_view event_id,
                                                 TimestampMs at) const {
    const Key key = key_of(type, event_id);
    const Slot wanted{key.high, key.low, seen_of(at)};
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t index = home(wanted); slots_[index].used(); index = (index + 1) & mask) {
        const Slot& slot = slots_[index];
        if (slot.high != wanted.high || slot.low != wanted.low)
            continue;
        if (expired(slot, wanted.seen))
            return std::nullopt;
        return TimestampMs{at.value - static_cast<std::int32_t>(wanted.seen - slot.seen)};
    }
    return std::nullopt;
}

bool Deduplicator::insert(const Key& key, TimestampMs at) {
    const Slot wanted{key.high, key.low, seen_of(at)};
    sweep(wanted.seen);
    if ((used_ + 1) * 4 > slots_.size() * 3)
        rebuild(wanted.seen);
    std::size_t mask = slots_.size() - 1;
    for (std::size_t index = home(wanted);; index = (index + 1) & mask) {
        Slot& slot = slots_[index];
        if (!slot.used()) {
            slot = wanted;
            ++used_;
            return true;
        }
        if (slot.high == wanted.high && slot.low == wanted.low) {
            bool fresh = expired(slot, wanted.seen);
            if (fresh || wanted.seen - slot.seen <= remembered_)
                slot.seen = wanted.seen;  // the later of the two
            return fresh;
        }
    }
}

void Deduplicator::clear() {
    slots_.assign(smallest_table, Slot{});
    used_ = 0;
    sweep_at_ = 0;
}

void Deduplicator::sweep(std::uint32_t now) {
    std::size_t mask = slots_.size() - 1;
    for (int i = 0; i < slots_swept_per_insert; ++i) {
        const Slot& slot = slots_[sweep_at_];
        if (slot.used() && expired(slot, now))
            erase(sweep_at_);  // another may have moved here: looked at in the next round
        else
            sweep_at_ = (sweep_at_ + 1) & mask;
    }
}

// Linear probing without tombstones: closes the gap by moving back what would not be found behind
// it. Source: Knuth, The Art of Computer Programming vol. 3, 6.4, algorithm R.
void Deduplicator::erase(std::size_t gap) {
    std::size_t mask = slots_.size() - 1;
    for (std::size_t next = (gap + 1) & mask; slots_[next].used(); next = (next + 1) & mask) {
        std::size_t distance_to_home = (next - home(slots_[next])) & mask;
        std::size_t distance_to_gap = (next - gap) & mask;
        if (distance_to_home >= distance_to_gap) {
            slots_[gap] = slots_[next];
            gap = next;
        }
    }
    slots_[gap] = Slot{};
    --used_;
}

void Deduplicator::rebuild(std::uint32_t now) {
    auto live =
        static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
            return slot.used() && !expired(slot, now);
        }));
    std::size_t size = smallest_table;
    while (size < 2 * live)
        size *= 2;
    decltype(slots_) old(size);
    old.swap(slots_);
    used_ = 0;
    sweep_at_ = 0;
    for (const Slot& slot : old) {
        if (!slot.used() || expired(slot, now))
            continue;
        std::size_t index = home(slot);
        while (slots_[index].used())
            index = (index + 1) & (size - 1);
        slots_[index] = slot;
        ++used_;
    }
}

}  // namespace adtally::processor
