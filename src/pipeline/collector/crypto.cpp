#include "pipeline/collector/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <cstddef>

#include "base/assert.hpp"
#include "base/hex.hpp"

namespace adtally::collector {
namespace {

constexpr std::size_t digest_bytes = 32;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

int base64url_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

std::optional<std::string> parse_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        int high = hex_digit(text[i]);
        int low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return std::nullopt;
        bytes.push_back(static_cast<char>(high << 4 | low));
    }
    return bytes;
}

// 43 characters carry 258 bits: the last two are padding and must be 0, or one signature would have
// four spellings.
std::optional<std::string> parse_base64url(std::string_view text) {
    std::string bytes;
    unsigned held = 0;
    int held_bits = 0;
    for (char c : text) {
        int value = base64url_value(c);
        if (value < 0)
            return std::nullopt;
        held = (held << 6 | static_cast<unsigned>(value)) & 0xffff;
        held_bits += 6;
        if (held_bits >= 8) {
            held_bits -= 8;
            bytes.push_back(static_cast<char>(held >> held_bits & 0xff));
        }
    }
    if ((held & ((1u << held_bits) - 1)) != 0)
        return std::nullopt;
    return bytes;
}

}  // namespace

std::string sha256(std::string_view text) {
    std::string digest(digest_bytes, '\0');
    SHA256(bytes_of(text), text.size(), reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

std::string hmac_sha256(std::string_view secret, std::string_view text) {
    std::string digest(digest_bytes, '\0');
    unsigned length = 0;
    const unsigned char* made =
        HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text),
             text.size(), reinterpret_cast<unsigned char*>(digest.data()), &length);
    ADTALLY_ASSERT(made != nullptr && length == digest_bytes);
    return digest;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (char c : bytes) {
        auto byte = static_cast<unsigned char>(c);
        hex.push_back(digits[byte >> 4]);
        hex.push_back(digits[byte & 15]);
    }
    return hex;
}

std::optional<std::string> parse_signature(std::string_view text) {
    if (text.size() == 2 * digest_bytes)
        return parse_hex(text);
    if (text.size() == 44 && text.back() == '=')
        text.remove_suffix(1);
    return text.size() == 43 ? parse_base64url(text) : std::nullopt;
}

}  // namespace adtally::collector
