// See client_address.hpp.
#include "platform/http/client_address.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <stdexcept>

#include "platform/http/ascii.hpp"

namespace adtally::http {

namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// An entry may carry a port: "192.0.2.1:4711", "[2001:db8::1]:4711".
std::optional<IpAddress> parse_hop(std::string_view text) {
    text = trim_blanks(text);
    if (text.starts_with('[')) {
        std::size_t end = text.find(']');
        if (end == std::string_view::npos)
            return std::nullopt;
        return parse_ip(text.substr(1, end - 1));
    }
    std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos)
        text = text.substr(0, colon);
    return parse_ip(text);
}

bool same_prefix(const IpAddress& left, const IpAddress& right, int bits) {
    auto whole = static_cast<std::size_t>(bits / 8);
    if (std::memcmp(left.bytes.data(), right.bytes.data(), whole) != 0)
        return false;
    int rest = bits % 8;
    if (rest == 0)
        return true;
    auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return (left.bytes[whole] & mask) == (right.bytes[whole] & mask);
}

}  // namespace

bool IpAddress::is_v4() const {
    return std::memcmp(bytes.data(), v4_prefix.data(), v4_prefix.size()) == 0;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
    char terminated[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof terminated)
        return std::nullopt;
    std::memcpy(terminated, text.data(), text.size());
    terminated[text.size()] = '\0';
    IpAddress address;
    if (inet_pton(AF_INET, terminated, address.bytes.data() + v4_prefix.size()) == 1) {
        std::memcpy(address.bytes.data(), v4_prefix.data(), v4_prefix.size());
        return address;
    }
    if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1)
        return address;
    return std::nullopt;
}

std::string to_text(const IpAddress& address) {
    char text[INET6_ADDRSTRLEN];
    const char* done =
        address.is_v4()
            ? inet_ntop(AF_INET, address.bytes.data() + v4_prefix.size(), text, sizeof text)
            : inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
    return done == nullptr ? std::string{} : std::string(done);
}

IpAddress limit_key(const IpAddress& address) {
    IpAddress key = address;
    if (!address.is_v4())
        std::memset(key.bytes.data() + 8, 0, 8);
    return key;
}

std::size_t IpHash::operator()(const IpAddress& address) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
}

TrustedProxies::TrustedProxies(const std::vector<std::string>& blocks) {
    for (const std::string& text : blocks) {
        std::size_t slash = text.find('/');
        std::optional<IpAddress> address = parse_ip(std::string_view(text).substr(0, slash));
        int max_bits = address && address->is_v4() ? 32 : 128;
        int bits = max_bits;
        bool good = address.has_value();
        if (good && slash != std::string::npos) {
            const char* end = text.data() + text.size();
            auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
            good = error == std::errc{} && stop == end && bits >= 0 && bits <= max_bits;
        }
        if (!good)
            throw std::runtime_error("trusted proxy \"" + text +
                                     "\" is no address; write it as 10.0.0.0/8 or ::1");
        blocks_.push_back({*address, bits + 128 - max_bits});
    }
}

bool TrustedProxies::trusts(const IpAddress& address) const {
    for (const Block& block : blocks_) {
        if (same_prefix(block.address, address, block.bits))
            return true;
    }
    return false;
}

IpAddress TrustedProxies::client_of(const IpAddress& peer,
                                    std::span<const HeaderField> fields) const {
    IpAddress client = peer;
    if (!trusts(peer))
        return client;
    // Several fields are one list in their order.
    for (std::size_t i = fields.size(); i-- > 0;) {
        if (!iequals(fields[i].name, "X-Forwarded-For"))
            continue;
        std::string_view rest = fields[i].value;
        while (true) {
            std::size_t comma = rest.rfind(',');
            std::string_view hop = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
            std::optional<IpAddress> address = parse_hop(hop);
            if (!address)
                return client;
            client = *address;
            if (!trusts(client))
                return client;
            if (comma == std::string_view::npos)
                break;
            rest = rest.substr(0, comma);
        }
    }
    return client;
}

}  // namespace adtally::http
