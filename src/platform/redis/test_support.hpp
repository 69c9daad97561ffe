// For tests only (target redis_test_support): a real redis-server in a directory of its own.
//
//     redis::RedisServer server;                 // answers when the constructor returns
//     redis::Client client = server.client();
//     server.kill9();                            // and later
//     server.start();                            // the same port, the same data
//
// Promise. It listens on 127.0.0.1 on a port that nobody used, with the append-only file on
// (appendfsync always unless `arguments` say otherwise: what was answered survives kill9). It is
// killed and its directory removed with the object, also when the test process is killed.
// Failures throw std::runtime_error with redis-server's last words.
//
// The port lies below the ephemeral range, so that no outgoing connection of anybody takes it
// between kill9() and start(). Threads: build and start it on the test's main thread (the server
// dies with the thread that started it); use it from one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "platform/redis/client.hpp"

namespace adtally::redis {

struct RedisServerOptions {
    std::string password;                // of the default user; empty: none
    std::vector<std::string> arguments;  // added last, so they win: {"--maxmemory", "1mb"}
};

class RedisServer {
public:
    explicit RedisServer(RedisServerOptions options = {});
    ~RedisServer();
    RedisServer(RedisServer&&) noexcept;

    // Starts it (again) on the same port and directory and waits until it answers. No effect while
    // it runs.
    void start();
    // SIGTERM, and waits until it has ended.
    void stop();
    // SIGKILL, and waits until it has ended.
    void kill9();
    // stop() and start().
    void restart();
    // SIGSTOP and SIGCONT: connections are accepted by the kernel and nothing is answered.
    void freeze();
    void thaw();

    bool running();
    std::int64_t pid() const;
    std::uint16_t port() const;
    const std::filesystem::path& directory() const;
    // The append-only file that is being written: for tests that cut its tail while it is stopped.
    std::filesystem::path append_only_file() const;
    Endpoint endpoint() const;
    ClientOptions client_options() const;
    Client client() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// An unused port of 127.0.0.1 below the ephemeral range.
std::uint16_t unused_port();

// A directory under the system's temporary one that is removed with the object.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace adtally::redis
