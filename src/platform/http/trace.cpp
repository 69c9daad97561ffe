// See trace.hpp.
#include "platform/http/trace.hpp"

#include <algorithm>
#include <bit>
#include <random>

namespace adtally::http {

namespace {

constexpr std::size_t text_size = 55;

std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

void write_hex(char* to, std::uint64_t value) {
    constexpr char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; --i) {
        to[i] = digits[value & 15];
        value >>= 4;
    }
}

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) {
    return text.find_first_not_of('0') == std::string_view::npos;
}

bool is_traceparent(std::string_view text) {
    return text.size() == text_size && text.starts_with("00-") && text[35] == '-' &&
           text[52] == '-' && is_hex(text.substr(3, 32)) && is_hex(text.substr(36, 16)) &&
           is_hex(text.substr(53, 2)) && !all_zero(text.substr(3, 32)) &&
           !all_zero(text.substr(36, 16));
}

std::uint64_t system_seed() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

IdGenerator::IdGenerator() : IdGenerator(system_seed()) {}

IdGenerator::IdGenerator(std::uint64_t seed) {
    for (std::uint64_t& word : state_)
        word = split_mix(seed);
}

std::uint64_t IdGenerator::next() {
    std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result == 0 ? 1 : result;
}

void TraceContext::start(std::optional<std::string_view> parent, IdGenerator& ids) {
    if (parent && is_traceparent(*parent)) {
        std::copy(parent->begin(), parent->end(), text_.begin());
    } else {
        constexpr std::string_view frame = "00-                                -";
        std::copy(frame.begin(), frame.end(), text_.begin());
        write_hex(text_.data() + 3, ids.next());
        write_hex(text_.data() + 19, ids.next());
        text_[52] = '-';
        text_[53] = '0';
        text_[54] = '1';
    }
    write_hex(text_.data() + 36, ids.next());
}

}  // namespace adtally::http
