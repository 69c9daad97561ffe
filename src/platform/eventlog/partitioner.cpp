// MurmurHash2, 32 bit, seed 0x9747b28c, little-endian words.
//
// An empty key is hashed like any other: equal keys share a partition without exception.
#include "platform/eventlog/partitioner.hpp"

#include "base/assert.hpp"
#include "platform/eventlog/bytes.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::eventlog {
namespace {

constexpr std::uint32_t seed = 0x9747b28c;
constexpr std::uint32_t multiplier = 0x5bd1e995;
constexpr int rotation = 24;

}  // namespace

std::int32_t murmur2(std::string_view bytes) {
    std::uint32_t hash = seed ^ static_cast<std::uint32_t>(bytes.size());
    while (bytes.size() >= 4) {
        auto word = load_le<std::uint32_t>(bytes.data());
        word *= multiplier;
        word ^= word >> rotation;
        word *= multiplier;
        hash = hash * multiplier ^ word;
        bytes.remove_prefix(4);
    }
    if (!bytes.empty()) {
        for (std::size_t i = bytes.size(); i-- > 0;)
            hash ^= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    return static_cast<std::int32_t>(hash);
}

Partition partition_of(std::string_view key, std::int32_t partitions) {
    ADTALLY_ASSERT(partitions > 0);
    return Partition{(murmur2(key) & 0x7fffffff) % partitions};
}

}  // namespace adtally::eventlog
