// Where a Redis is, as people write it in an option or a message.
#include <fmt/format.h>
#include <sys/un.h>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "platform/redis/client.hpp"

namespace adtally::redis {

namespace {

constexpr std::string_view forms = "redis://[user:password@]host[:port][/db] or unix:///path";

// The URL itself is never repeated: it may hold a password.
Error refused(std::string_view why) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("bad Redis URL: {}; write {}", why, forms)};
}

Result<int> parse_database(std::string_view path) {
    if (!path.empty())
        path.remove_prefix(1);
    if (path.empty())
        return 0;
    int database = 0;
    const char* end = path.data() + path.size();
    const auto [stop, error] = std::from_chars(path.data(), end, database);
    if (error != std::errc{} || stop != end || database < 0)
        return refused("the database is not a number");
    return database;
}

Result<Endpoint> parse_unix(const boost::urls::url_view& url) {
    Endpoint endpoint;
    endpoint.unix_path = url.path();
    if (!url.encoded_authority().empty() || endpoint.unix_path.size() < 2)
        return refused("a socket needs an absolute path");
    if (endpoint.unix_path.size() >= sizeof(sockaddr_un::sun_path))
        return refused("the path of the socket is too long");
    return endpoint;
}

Result<Endpoint> parse_tcp(const boost::urls::url_view& url) {
    Endpoint endpoint;
    endpoint.host = url.host_address();
    if (endpoint.host.empty())
        return refused("the host is missing");
    if (url.has_port()) {
        endpoint.port = url.port_number();
        if (endpoint.port == 0)  // also for what is no number, which is then taken for a path
            return refused("the port is not in 1..65535");
    }
    if (url.has_userinfo()) {
        if (!url.has_password())
            return refused("a password stands behind a colon (redis://:password@host)");
        endpoint.user = url.user();
        endpoint.password = url.password();
        if (endpoint.password.empty())
            return refused("the password is empty");
    }
    ADTALLY_TRY(endpoint.database, parse_database(url.path()));
    return endpoint;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
    if (parsed.has_error())
        return refused("it is not a URL (special characters are written as %XX)");
    const boost::urls::url_view url = parsed.value();
    if (url.has_query() || url.has_fragment())
        return refused("it has a query or a fragment");
    if (url.scheme() == "unix")
        return parse_unix(url);
    if (url.scheme() == "redis")
        return parse_tcp(url);
    if (url.scheme() == "rediss")
        return refused("TLS is not spoken (put a TLS proxy such as stunnel in front)");
    return refused("the scheme is neither redis nor unix");
}

std::string to_string(const Endpoint& endpoint) {
    if (!endpoint.unix_path.empty())
        return fmt::format("unix://{}", endpoint.unix_path);
    const bool is_v6 = endpoint.host.find(':') != std::string::npos;
    std::string text = is_v6 ? fmt::format("redis://[{}]:{}", endpoint.host, endpoint.port)
                             : fmt::format("redis://{}:{}", endpoint.host, endpoint.port);
    if (endpoint.database != 0)
        text += fmt::format("/{}", endpoint.database);
    return text;
}

}  // namespace adtally::redis
