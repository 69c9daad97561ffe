#include "platform/redis/testing/scripted_peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>

namespace adtally::redis {

ScriptedPeer::ScriptedPeer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0)
        throw std::runtime_error("cannot listen");
    port_ = ntohs(address.sin_port);
}

ClientOptions ScriptedPeer::client_options(Milliseconds command_timeout) const {
    ClientOptions options;
    options.endpoint.port = port_;
    options.command_timeout = command_timeout;
    return options;
}

void ScriptedPeer::accept() {
    before_ = std::move(connection_);
    connection_ = Descriptor{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!connection_)
        throw std::runtime_error("cannot accept");
}

void ScriptedPeer::say(std::string_view bytes) {
    if (::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size()))
        throw std::runtime_error("cannot say it");
}

}  // namespace adtally::redis
