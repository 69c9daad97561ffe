// Where a click may lead: never an open redirect.
//
// Problem. The address to go to stands in the link, and links are written by strangers: a
// redirector that follows any of them lends its name to phishing. So a target is followed only when
// its host is one that the operator listed, or when it carries a signature that only the operator
// could make.
//
// Design. What is judged is what is sent: the target is parsed, checked, re-serialised, and the
// Location is the re-serialised text. Refused before any of that: control characters, backslashes
// (which browsers read as slashes), a leading "//", more than 2,048 bytes. Only http and https, no
// user-info, in the host only letters, digits, "-", "." and "_". Characters that RFC 3986 does not
// allow but browsers send (spaces, quotes, "|", UTF-8) are percent-encoded. A listed host is
// compared whole, without regard to case; one without a port stands for the default port of its
// scheme.
//
// A signature is HMAC-SHA256(secret, to "\n" ad_id "\n" exp), hex or base64url; exp is in epoch
// seconds and must lie in the future.
//
// Threads. Immutable after construction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "domain/ids.hpp"

namespace adtally::collector {

inline constexpr std::size_t max_target_bytes = 2'048;

// In hex. `to` is the target as it will arrive, percent-decoded once.
std::string sign_click_target(std::string_view secret, std::string_view to, domain::AdId ad_id,
                              std::int64_t exp_seconds);

class ClickTargets {
public:
    // Throws std::runtime_error for a host that is none, with what is allowed.
    ClickTargets(const std::vector<std::string>& hosts, std::string secret);

    struct Asked {
        std::string_view to;
        domain::AdId ad_id;
        std::optional<std::string_view> signature;
        std::optional<std::string_view> exp;
    };
    // The Location to send, or why not (invalid_argument).
    Result<std::string> approve(const Asked& asked, TimestampMs now) const;

private:
    bool is_listed(const std::string& host, std::uint16_t port, std::uint16_t default_port) const;
    Status check_signature(const Asked& asked, TimestampMs now) const;

    std::vector<std::string> hosts_;  // lower case, sorted: "host" or "host:port"
    std::string secret_;
};

// Adds `name=id` to the query of an approved Location; both are of letters, digits and "-._:". A
// parameter of that name that is there already is the advertiser's own and stays as it is.
// By hand: Boost.URL 1.81 reads past the end in params() when an empty query meets a fragment
// ("https://host/?#top"), which anyone may send.
std::string with_click_id(std::string_view location, std::string_view name, std::string_view id);

std::string escape_html(std::string_view text);

}  // namespace adtally::collector
