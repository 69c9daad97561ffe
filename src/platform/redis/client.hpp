// A blocking Redis connection with deadlines, for threads that may wait.
//
// Why blocking: a flush is one script and the loop has nothing else to do until its answer; the
// metrics API runs on worker threads. One connection belongs to one thread.
//
// Promise. A command either returns Redis' reply or an error; after `timed_out` or `unavailable`
// the effect is unknown and the connection is closed, so a late reply can never be taken for the
// next command's. The next command connects anew; there is no back-off here, it is the caller's. A
// connection that has ended while nothing was outstanding is replaced before the command is sent.
//
// Limits. connect_timeout bounds connecting with AUTH and SELECT (not the look-up of a host name);
// command_timeout bounds one exchange as a whole. An exchange over 256 MiB is `too_large`. A reply
// may nest 8 arrays deep. SIGPIPE is never raised.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace adtally::redis {

struct Reply {
    enum class Kind : std::uint8_t { nil, string, status, integer, array, error };
    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text;  // string, status, error
    std::vector<Reply> elements;

    bool is_nil() const { return kind == Kind::nil; }
    bool is_error() const { return kind == Kind::error; }
};

// redis://[user:password@]host[:port][/db] or unix:///path
struct Endpoint {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    std::string unix_path;  // when set, host and port are not used
    std::string user;
    std::string password;
    int database = 0;
};
Result<Endpoint> parse_endpoint(std::string_view url);
// Without the password: for messages.
std::string to_string(const Endpoint& endpoint);

struct ClientOptions {
    Endpoint endpoint;
    Milliseconds connect_timeout{1'000};
    Milliseconds command_timeout{5'000};
};

// A command's words. Views must live until the call returns.
using Words = std::span<const std::string_view>;

class Client {
public:
    explicit Client(ClientOptions options);
    ~Client();
    Client(Client&&) noexcept;

    // A reply of kind error is a success here: the caller knows what WRONGTYPE or NOSCRIPT means.
    // What Redis says about itself is an error: OOM becomes `overloaded`; LOADING, MASTERDOWN,
    // READONLY, BUSY, TRYAGAIN, CLUSTERDOWN, MISCONF (as when the disk of its append-only file is
    // full), NOREPLICAS, NOAUTH, DENIED and too many clients become `unavailable`.
    Result<Reply> command(Words words);
    Result<Reply> command(std::initializer_list<std::string_view> words);

    // Pipelining: append() buffers, exchange() sends all and returns one reply for each, in order.
    // If one of the replies is such an error, that error is returned; the effects of the others
    // are unknown to the caller.
    void append(Words words);
    Result<std::vector<Reply>> exchange();
    // exchange() in two halves, for a caller with something to do, or to crash on, between them.
    // The deadline begins with send(). After a failed send() there is nothing to receive() and
    // what was appended is dropped.
    Status send();
    Result<std::vector<Reply>> receive();

    // Grows by one with every new connection: tells a caller to re-read what it believes.
    std::uint64_t generation() const;
    // Connects if needed. Fails like a command.
    Status connect();
    const Endpoint& endpoint() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A Lua script that is called by its hash and sent again when Redis has lost it.
class Script {
public:
    explicit Script(std::string source);
    const std::string& source() const { return source_; }
    const std::string& sha1() const { return sha1_; }

private:
    std::string source_;
    std::string sha1_;
};

// EVALSHA with `keys` then `arguments`; on NOSCRIPT, SCRIPT LOAD and once more.
Result<Reply> evaluate(Client& client, const Script& script, Words keys, Words arguments);

}  // namespace adtally::redis
