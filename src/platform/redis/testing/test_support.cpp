// A port is tried before redis-server gets it; where somebody else was faster, redis-server ends
// and another port is tried. Readiness means an answer under the child's own process id.
#include "platform/redis/test_support.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <stdexcept>

#include "platform/redis/child_process.hpp"
#include "platform/redis/port_check.hpp"

namespace adtally::redis {

namespace {

constexpr Milliseconds start_timeout{30'000};
constexpr Milliseconds stop_timeout{20'000};
constexpr Milliseconds look_again_after{5};
constexpr int start_attempts = 5;

std::string read_tail(const std::filesystem::path& path) {
    std::ifstream file{path};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    return text.size() > 2'000 ? text.substr(text.size() - 2'000) : text;
}

}  // namespace

struct RedisServer::Impl {
    RedisServerOptions options;
    TemporaryDirectory directory;
    std::uint16_t port = 0;
    std::optional<ChildProcess> child;

    std::filesystem::path log() const { return directory.path() / "redis.log"; }
    ClientOptions client_options() const;
    std::vector<std::string> arguments() const;
    bool try_start();
    bool answers() const;
    void end(int signal);
};

ClientOptions RedisServer::Impl::client_options() const {
    ClientOptions client;
    client.endpoint.port = port;
    client.endpoint.password = options.password;
    return client;
}

std::vector<std::string> RedisServer::Impl::arguments() const {
    std::vector<std::string> words{"--port",        std::to_string(port),
                                   "--bind",        "127.0.0.1",
                                   "--dir",         directory.path().string(),
                                   "--appendonly",  "yes",
                                   "--appendfsync", "always",
                                   "--save",        ""};
    if (!options.password.empty())
        words.insert(words.end(), {"--requirepass", options.password});
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    return words;
}

// Our own child, not another's redis-server that took the port a moment earlier.
bool RedisServer::Impl::answers() const {
    Client client{client_options()};
    const Result<Reply> info = client.command({"INFO", "server"});
    return info && !info.value().is_error() && client.command({"PING"}) &&
           info.value().text.find(fmt::format("process_id:{}\r", child->pid())) !=
               std::string::npos;
}

// False: it ended, which is what happens when somebody else took the port.
bool RedisServer::Impl::try_start() {
    Result<ChildProcess> started = ChildProcess::start(
        ChildOptions{find_executable("redis-server"), arguments(), log(), SIGKILL});
    if (!started)
        throw std::runtime_error(started.error().message);
    child.emplace(std::move(started.value()));
    const Deadline deadline = Deadline::after(start_timeout);
    while (!answers()) {
        if (deadline.passed())
            throw std::runtime_error("redis-server does not answer: " + read_tail(log()));
        if (child->wait(look_again_after)) {
            child.reset();
            return false;
        }
    }
    return true;
}

void RedisServer::Impl::end(int signal) {
    if (!child)
        return;
    child->signal(signal);
    if (!child->wait(stop_timeout))
        throw std::runtime_error("redis-server does not stop: " + read_tail(log()));
    child.reset();
}

RedisServer::RedisServer(RedisServerOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
    if (find_executable("redis-server").empty())
        throw std::runtime_error("redis-server is not installed; apt-get install redis-server");
    for (int attempt = 0; attempt < start_attempts; ++attempt) {
        impl_->port = unused_port();
        if (impl_->try_start())
            return;
    }
    throw std::runtime_error("redis-server does not start: " + read_tail(impl_->log()));
}

RedisServer::~RedisServer() = default;
RedisServer::RedisServer(RedisServer&&) noexcept = default;

void RedisServer::start() {
    if (running())
        return;
    if (!impl_->try_start())
        throw std::runtime_error("redis-server does not start again: " + read_tail(impl_->log()));
}

void RedisServer::stop() {
    thaw();
    impl_->end(SIGTERM);
}

void RedisServer::kill9() {
    impl_->end(SIGKILL);
}

void RedisServer::restart() {
    stop();
    start();
}

void RedisServer::freeze() {
    if (impl_->child)
        impl_->child->signal(SIGSTOP);
}

void RedisServer::thaw() {
    if (impl_->child)
        impl_->child->signal(SIGCONT);
}

bool RedisServer::running() {
    return impl_->child && !impl_->child->ended();
}

std::int64_t RedisServer::pid() const {
    return impl_->child ? impl_->child->pid() : 0;
}

std::uint16_t RedisServer::port() const {
    return impl_->port;
}

const std::filesystem::path& RedisServer::directory() const {
    return impl_->directory.path();
}

std::filesystem::path RedisServer::append_only_file() const {
    // Redis 7 numbers its incremental files; the manifest says which counts, and in a test that
    // does not rewrite there is one.
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory())) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".incr.aof") || name == "appendonly.aof")
            files.push_back(entry.path());
    }
    if (files.empty())
        throw std::runtime_error("no append-only file in " + directory().string());
    return *std::max_element(files.begin(), files.end());
}

Endpoint RedisServer::endpoint() const {
    return impl_->client_options().endpoint;
}

ClientOptions RedisServer::client_options() const {
    return impl_->client_options();
}

Client RedisServer::client() const {
    return Client{impl_->client_options()};
}

std::uint16_t unused_port() {
    constexpr std::uint16_t first = 15'000;
    constexpr std::uint16_t last = 32'000;
    std::random_device seed;
    std::uniform_int_distribution<int> any{first, last};
    for (int attempt = 0; attempt < 1'000; ++attempt) {
        const auto port = static_cast<std::uint16_t>(any(seed));
        if (listening_error(port) == 0)
            return port;
    }
    throw std::runtime_error("no unused port between 15000 and 32000");
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "adtally-redis-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::runtime_error("cannot make a temporary directory");
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace adtally::redis
