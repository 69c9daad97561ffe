#include "platform/redis/port_check.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "platform/redis/child_process.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis {

int listening_error(std::uint16_t port) {
    const Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(socket.get(), generic, sizeof address) != 0 || ::listen(socket.get(), 1) != 0)
        return errno;
    return 0;
}

Occupant find_occupant(std::uint16_t port, const std::filesystem::path& directory) {
    ClientOptions options;
    options.endpoint.port = port;
    options.connect_timeout = Milliseconds{500};
    options.command_timeout = Milliseconds{500};
    Client client{options};
    const Result<Reply> answer = client.command({"CONFIG", "GET", "dir"});
    if (!answer)
        return Occupant::unknown;
    const std::vector<Reply>& pair = answer.value().elements;
    if (pair.size() != 2)
        return Occupant::other_redis;
    std::error_code absent;
    return std::filesystem::equivalent(pair[1].text, directory, absent) ? Occupant::same_directory
                                                                        : Occupant::other_redis;
}

std::string port_in_use(std::uint16_t port, Occupant occupant,
                        const std::filesystem::path& directory) {
    if (occupant == Occupant::same_directory)
        return fmt::format(
            "port {} is in use by a redis-server that works in {} and was not started here; stop "
            "it with: redis-cli -p {} shutdown",
            port, directory.string(), port);
    return fmt::format(
        "port {} is in use by another {}; stop it (./dev down for another adtally, systemctl stop "
        "redis-server for Debian's), or move all ports with --port-offset N",
        port, occupant == Occupant::other_redis ? "redis-server" : "process");
}

}  // namespace adtally::redis
