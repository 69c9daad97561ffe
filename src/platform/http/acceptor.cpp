// See acceptor.hpp.
#include "platform/http/acceptor.hpp"

#include <cstring>
#include <stdexcept>

namespace adtally::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t max_refused_connections = 256;
constexpr Milliseconds pause_without_descriptors{100};

IpAddress address_of(const asio::ip::address& from) {
    IpAddress address;
    auto bytes = from.is_v4()
                     ? asio::ip::make_address_v6(asio::ip::v4_mapped, from.to_v4()).to_bytes()
                     : from.to_v6().to_bytes();
    std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
    return address;
}

[[noreturn]] void cannot_listen(const ServerOptions& options, const boost::system::error_code& ec) {
    std::string port = std::to_string(options.port);
    if (ec == asio::error::address_in_use) {
        throw std::runtime_error("port " + port +
                                 " is already in use; stop the other process (see: ss -ltnp "
                                 "'sport = :" +
                                 port + "') or choose others with --port-offset N");
    }
    throw std::runtime_error("cannot listen on " + options.bind + " port " + port + ": " +
                             ec.message() +
                             "; choose an address of this machine and a port "
                             "that this user may bind");
}

}  // namespace

Acceptor::Acceptor(ServerCore& core, std::vector<std::unique_ptr<Loop>>& loops)
    : core_(core),
      loops_(loops),
      acceptor_(loops.front()->context()),
      pause_(loops.front()->context()) {
    const ServerOptions& options = core.options;
    boost::system::error_code ec;
    asio::ip::address address = asio::ip::make_address(options.bind, ec);
    if (ec)
        throw std::runtime_error("\"" + options.bind +
                                 "\" is no IP address to listen on; use 0.0.0.0, 127.0.0.1 or ::");
    tcp::endpoint endpoint(address, options.port);
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec)
        acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec)
        acceptor_.bind(endpoint, ec);
    if (!ec)
        acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (!ec)
        acceptor_.non_blocking(true, ec);
    if (ec)
        cannot_listen(options, ec);
    port_ = acceptor_.local_endpoint().port();
}

Loop& Acceptor::next_loop() {
    turn_ = (turn_ + 1) % loops_.size();
    return *loops_[turn_];
}

void Acceptor::start() {
    asio::post(acceptor_.get_executor(), [this] { accept(); });
}

void Acceptor::accept() {
    if (!acceptor_.is_open())
        return;
    Loop& loop = next_loop();
    acceptor_.async_accept(loop.context(),
                           [this, &loop](const boost::system::error_code& ec, Socket socket) {
                               if (!ec)
                                   take(std::move(socket), loop);
                               else if (!on_error(ec))
                                   return;
                               accept();
                           });
}

bool Acceptor::on_error(const boost::system::error_code& ec) {
    bool starved = ec == asio::error::no_descriptors || ec == asio::error::no_buffer_space ||
                   ec == asio::error::no_memory ||
                   ec == boost::system::errc::too_many_files_open_in_system;
    if (!starved)
        return ec != asio::error::operation_aborted;
    core_.logger.warn("accepting pauses", {{"error", ec.message()}});
    pause_.expires_after(pause_without_descriptors);
    pause_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled)
            accept();
    });
    return false;
}

void Acceptor::take(Socket socket, Loop& loop) {
    boost::system::error_code ec;
    tcp::endpoint remote = socket.remote_endpoint(ec);
    if (ec)
        return;  // gone already
    IpAddress peer = address_of(remote.address());
    std::optional<Refusal> refusal;
    if (core_.connections.load() >= core_.options.max_connections)
        refusal = Refusal::connections;
    else if (!core_.per_client.enter(peer))
        refusal = Refusal::connections_per_ip;
    if (refusal) {
        core_.count_refused(*refusal);
        if (core_.refused_connections.load() >= max_refused_connections)
            return;  // closed without a word: telling all of them would be the attack's success
        ++core_.refused_connections;
    } else {
        ++core_.connections;
    }
    loop.adopt(std::move(socket), peer, refusal);
}

void Acceptor::stop() {
    pause_.cancel();
    boost::system::error_code ec;
    while (acceptor_.is_open() && !ec) {
        Loop& loop = next_loop();
        Socket socket = acceptor_.accept(loop.context(), ec);
        if (!ec)
            take(std::move(socket), loop);
    }
    close();
}

void Acceptor::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

}  // namespace adtally::http
