// The system's source of chance, replaced by the seed's.
//
// The deduplicator draws the key of its hash from libsodium, and where its entries lie depends on
// that: a defect that shows in some layouts only would not come back with its seed.
#pragma once

#include <cstdint>

namespace adtally::sim {

// From here on, what libsodium draws on this thread follows from the seed. For the whole process,
// and not for one that has secrets.
void seed_system_random(std::uint64_t seed);

}  // namespace adtally::sim
