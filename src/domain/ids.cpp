#include "domain/ids.hpp"

#include "domain/event.hpp"

namespace adtally::domain {
namespace {

constexpr std::uint32_t counter_limit = 1u << 12;
// A fresh millisecond starts in the lower half: the upper half is room to count.
constexpr std::uint32_t counter_start_mask = (1u << 11) - 1;

constexpr std::array<bool, 256> event_id_bytes_allowed = [] {
    std::array<bool, 256> allowed{};
    for (int byte = '0'; byte <= '9'; ++byte)
        allowed[static_cast<std::size_t>(byte)] = true;
    for (int byte = 'A'; byte <= 'Z'; ++byte)
        allowed[static_cast<std::size_t>(byte)] = true;
    for (int byte = 'a'; byte <= 'z'; ++byte)
        allowed[static_cast<std::size_t>(byte)] = true;
    for (char byte : {'.', '_', ':', '-'})
        allowed[static_cast<std::size_t>(byte)] = true;
    return allowed;
}();

constexpr std::uint64_t rotate_left(std::uint64_t value, int by) {
    return (value << by) | (value >> (64 - by));
}

// Spreads one seed over the whole state, as the authors of xoshiro recommend.
std::uint64_t splitmix64(std::uint64_t& seed) {
    std::uint64_t mixed = (seed += 0x9E3779B97F4A7C15ull);
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
    return mixed ^ (mixed >> 31);
}

void write_hex(std::uint64_t value, int digits, char* to) {
    for (int digit = digits - 1; digit >= 0; --digit) {
        to[digit] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

}  // namespace

bool is_event_id(std::string_view text) {
    bool allowed = !text.empty() && text.size() <= limits::event_id_bytes;
    for (char byte : text)
        allowed = allowed && event_id_bytes_allowed[static_cast<unsigned char>(byte)];
    return allowed;
}

UuidV7Generator::UuidV7Generator(std::uint64_t seed) {
    for (std::uint64_t& word : state_)
        word = splitmix64(seed);
    buffer_.fill('-');
}

std::uint64_t UuidV7Generator::random() {
    std::uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
    std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate_left(state_[3], 45);
    return result;
}

// A clock that stands still or goes back keeps the last millisecond; when the counter is used up
// the generator runs ahead of the clock (RFC 9562, 6.2), so that ids ascend in any case.
std::string_view UuidV7Generator::next(TimestampMs now) {
    if (now.value > last_ms_) {
        last_ms_ = now.value;
        counter_ = static_cast<std::uint32_t>(random()) & counter_start_mask;
    } else if (++counter_ == counter_limit) {
        ++last_ms_;
        counter_ = static_cast<std::uint32_t>(random()) & counter_start_mask;
    }
    std::uint64_t noise = random();
    auto milliseconds = static_cast<std::uint64_t>(last_ms_);
    char* text = buffer_.data();
    write_hex(milliseconds >> 16, 8, text);
    write_hex(milliseconds & 0xFFFF, 4, text + 9);
    write_hex(0x7000 | counter_, 4, text + 14);
    write_hex(0x8000 | (noise & 0x3FFF), 4, text + 19);
    write_hex(noise >> 16, 12, text + 24);
    return {text, buffer_.size()};
}

}  // namespace adtally::domain
