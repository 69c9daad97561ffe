// Who is asking: the peer of the TCP connection, or what a proxy that we trust says of it.
//
// An address is 16 bytes; IPv4 is held as ::ffff:a.b.c.d, so that a client has one address whether
// it came over a dual-stack socket or not.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.hpp"

namespace adtally::http {

struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};

    bool is_v4() const;
    friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

std::optional<IpAddress> parse_ip(std::string_view text);
std::string to_text(const IpAddress& address);
// What a limit counts: an IPv4 address, or the /64 of an IPv6 one, which is what one user gets.
IpAddress limit_key(const IpAddress& address);

struct IpHash {
    std::size_t operator()(const IpAddress& address) const noexcept;
};

class TrustedProxies {
public:
    // Addresses or CIDR blocks; throws std::runtime_error for anything else.
    explicit TrustedProxies(const std::vector<std::string>& blocks);

    bool trusts(const IpAddress& address) const;
    // Walks X-Forwarded-For from its right end past trusted hops to the first address that is not
    // trusted; an entry that is no address ends the walk at the last good one.
    IpAddress client_of(const IpAddress& peer, std::span<const HeaderField> fields) const;

private:
    struct Block {
        IpAddress address;
        int bits = 128;
    };
    std::vector<Block> blocks_;
};

}  // namespace adtally::http
