#include "sim/world/system_random.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <mutex>

#include "sim/world/random.hpp"

namespace adtally::sim {
namespace {

thread_local Random source(0);

const char* name() {
    return "adtally-sim";
}

std::uint32_t draw() {
    return static_cast<std::uint32_t>(source.next() >> 32);
}

void fill(void* const into, const std::size_t size) {
    auto* bytes = static_cast<unsigned char*>(into);
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
        const std::uint64_t drawn = source.next();
        std::memcpy(bytes + at, &drawn, std::min(sizeof drawn, size - at));
    }
}

}  // namespace

void seed_system_random(std::uint64_t seed) {
    static std::once_flag replaced;
    std::call_once(replaced, [] {
        static randombytes_implementation ours{name, draw, nullptr, nullptr, fill, nullptr};
        randombytes_set_implementation(&ours);
    });
    source = Random(seed);
}

}  // namespace adtally::sim
