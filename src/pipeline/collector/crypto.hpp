// The few words of cryptography that the collector needs, so that OpenSSL stands in one file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace adtally::collector {

std::string sha256(std::string_view text);                                // 32 bytes
std::string hmac_sha256(std::string_view secret, std::string_view text);  // 32 bytes
// Takes as long for any difference; different lengths are unequal at once.
bool equal_constant_time(std::string_view a, std::string_view b);

std::string to_hex(std::string_view bytes);
// 64 hex digits or 43 characters of base64url (padding allowed) to 32 bytes.
std::optional<std::string> parse_signature(std::string_view text);

}  // namespace adtally::collector
