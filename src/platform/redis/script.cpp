// Lua scripts by their hash: 20,000 arguments travel, the source does not.
#include <openssl/evp.h>

#include <array>

#include "base/assert.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis {

namespace {

std::string sha1_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    ADTALLY_ASSERT(
        EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex.push_back(digits[digest[i] >> 4]);
        hex.push_back(digits[digest[i] & 15]);
    }
    return hex;
}

bool is_lost(const Reply& reply) {
    return reply.is_error() && reply.text.starts_with("NOSCRIPT");
}

}  // namespace

Script::Script(std::string source) : source_(std::move(source)), sha1_(sha1_hex(source_)) {}

Result<Reply> evaluate(Client& client, const Script& script, Words keys, Words arguments) {
    const std::string key_count = std::to_string(keys.size());
    std::vector<std::string_view> words{"EVALSHA", script.sha1(), key_count};
    words.reserve(words.size() + keys.size() + arguments.size());
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());

    ADTALLY_TRY(Reply first, client.command(words));
    if (!is_lost(first))
        return first;
    ADTALLY_TRY(Reply loaded, client.command({"SCRIPT", "LOAD", script.source()}));
    if (loaded.is_error())
        return loaded;  // it does not compile: the caller's bug, in Redis' words
    return client.command(words);
}

}  // namespace adtally::redis
