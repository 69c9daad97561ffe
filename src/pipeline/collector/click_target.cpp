#include "pipeline/collector/click_target.hpp"

#include <algorithm>
#include <boost/url/error_types.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>
#include <stdexcept>

#include "domain/validation.hpp"
#include "pipeline/collector/crypto.hpp"
#include "platform/http/message.hpp"

namespace adtally::collector {
namespace {

namespace urls = boost::urls;

Error refused(std::string reason) {
    return Error{ErrorCode::invalid_argument, std::move(reason)};
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

bool is_control(unsigned char c) {
    return c < 0x20 || c == 0x7f;
}

// Of names and of addresses in brackets. RFC 3986 allows more (escapes, "*", "!"), DNS does not.
bool is_host_character(char c) {
    char small = lower(c);
    return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._[:]").find(c) != std::string_view::npos;
}

std::string encode_what_browsers_send(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    constexpr std::string_view tolerated = " \"<>^`{|}";
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && tolerated.find(c) == std::string_view::npos) {
            out.push_back(c);
            continue;
        }
        out.push_back('%');
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 15]);
    }
    return out;
}

Status check_text(std::string_view to) {
    if (to.empty())
        return refused("the target is empty; give an http or https address in 'to'");
    if (to.size() > max_target_bytes)
        return refused("the target is longer than 2048 bytes");
    if (std::any_of(to.begin(), to.end(),
                    [](char c) { return is_control(static_cast<unsigned char>(c)); }))
        return refused("the target holds control characters");
    if (to.find('\\') != std::string_view::npos)
        return refused("the target holds a backslash; write it as %5C");
    if (to.substr(0, 2) == "//")
        return refused("the target has no scheme; begin it with https://");
    if (!domain::is_printable_utf8(to))
        return refused("the target is not UTF-8");
    return ok();
}

std::string host_of(const urls::url_view& url) {
    return lower(std::string_view(url.encoded_host().data(), url.encoded_host().size()));
}

std::uint16_t default_port(const urls::url_view& url) {
    return url.scheme_id() == urls::scheme::https ? 443 : 80;
}

std::uint16_t port_of(const urls::url_view& url) {
    return url.has_port() ? url.port_number() : default_port(url);
}

Status check_url(const urls::url_view& url) {
    if (url.scheme_id() != urls::scheme::http && url.scheme_id() != urls::scheme::https)
        return refused("the target's scheme is not allowed; use http or https");
    if (!url.has_authority() || url.encoded_host().empty())
        return refused("the target has no host");
    if (url.has_userinfo())
        return refused("the target holds user information before its host; leave it out");
    if (!std::all_of(url.encoded_host().begin(), url.encoded_host().end(), is_host_character))
        return refused(
            "the target's host holds characters that no host has; write an "
            "international name in its xn-- form");
    // "007" and a number above 65535 are none either: the second one reads as 0.
    if (url.has_port() &&
        (url.port().empty() || url.port().front() == '0' || url.port_number() == 0))
        return refused("the target's port is none");
    // Boost.URL 1.81 takes what follows the digits of a port for a path.
    if (!url.encoded_path().empty() && url.encoded_path().front() != '/')
        return refused("the target's host and port are not followed by a path");
    return ok();
}

// A listed host is held to what a target must pass, by being made into one.
std::string listed_host(const std::string& entry) {
    std::string text = "http://" + entry + "/";
    urls::result<urls::url_view> url = urls::parse_uri(text);
    bool plain = url && check_text(text) && check_url(*url) && url->encoded_path() == "/" &&
                 !url->has_query() && !url->has_fragment();
    if (!plain)
        throw std::runtime_error("redirect host '" + entry +
                                 "' is none; write a host name as shop.example.org, or with a port "
                                 "as shop.example.org:8443");
    std::string host = host_of(*url);
    return url->has_port() ? host + ':' + std::to_string(url->port_number()) : host;
}

std::string signed_text(std::string_view to, domain::AdId ad_id, std::string_view exp) {
    std::string text(to);
    text += '\n';
    text += std::to_string(ad_id.value);
    text += '\n';
    text += exp;
    return text;
}

}  // namespace

std::string sign_click_target(std::string_view secret, std::string_view to, domain::AdId ad_id,
                              std::int64_t exp_seconds) {
    return to_hex(hmac_sha256(secret, signed_text(to, ad_id, std::to_string(exp_seconds))));
}

ClickTargets::ClickTargets(const std::vector<std::string>& hosts, std::string secret)
    : secret_(std::move(secret)) {
    for (const std::string& entry : hosts)
        hosts_.push_back(listed_host(entry));
    std::sort(hosts_.begin(), hosts_.end());
}

Result<std::string> ClickTargets::approve(const Asked& asked, TimestampMs now) const {
    ADTALLY_TRY(check_text(asked.to));
    std::string text = encode_what_browsers_send(asked.to);
    urls::result<urls::url_view> parsed = urls::parse_uri(text);
    if (!parsed)
        return refused("the target is no absolute address; write it as https://host/path");
    ADTALLY_TRY(check_url(*parsed));
    if (!is_listed(host_of(*parsed), port_of(*parsed), default_port(*parsed))) {
        ADTALLY_TRY(check_signature(asked, now));
    }
    urls::url url(*parsed);
    url.normalize_scheme();
    url.normalize_authority();
    url.set_path_absolute(true);
    return std::string(url.buffer());
}

bool ClickTargets::is_listed(const std::string& host, std::uint16_t port,
                             std::uint16_t default_port) const {
    bool bare = port == default_port && std::binary_search(hosts_.begin(), hosts_.end(), host);
    return bare ||
           std::binary_search(hosts_.begin(), hosts_.end(), host + ':' + std::to_string(port));
}

Status ClickTargets::check_signature(const Asked& asked, TimestampMs now) const {
    if (!asked.signature)
        return refused(
            "the target's host is not on the list of redirect hosts and the link is not "
            "signed; list the host or sign the link");
    if (secret_.empty())
        return refused("signed targets are not enabled here; set the click secret");
    std::optional<std::int64_t> exp = asked.exp ? domain::parse_decimal(*asked.exp) : std::nullopt;
    if (!exp)
        return refused("a signed target needs exp, its last moment in epoch seconds");
    std::optional<std::string> presented = parse_signature(*asked.signature);
    std::string expected = hmac_sha256(secret_, signed_text(asked.to, asked.ad_id, *asked.exp));
    if (!presented || !equal_constant_time(*presented, expected))
        return refused("the target's signature is not valid for this target, ad_id and exp");
    if (*exp <= now.value / 1000)
        return refused("the signed link has expired; sign it anew");
    return ok();
}

std::string with_click_id(std::string_view location, std::string_view name, std::string_view id) {
    if (name.empty())
        return std::string(location);
    const std::size_t end = std::min(location.find('#'), location.size());
    const std::size_t mark = std::min(location.find('?'), end);
    const bool has_query = mark < end;
    const std::string_view query =
        has_query ? location.substr(mark + 1, end - mark - 1) : std::string_view{};
    if (http::query_parameter(query, name))
        return std::string(location);
    std::string out(location.substr(0, end));
    if (!has_query)
        out += '?';
    else if (!query.empty())
        out += '&';
    out += name;
    out += '=';
    out += id;
    out += location.substr(end);
    return out;
}

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace adtally::collector
