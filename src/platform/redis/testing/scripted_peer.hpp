// A peer that is not Redis: it listens, and says only what the test makes it say. No thread: the
// kernel accepts, Client::send() and Client::receive() leave the test room between them.
#pragma once

#include <cstdint>
#include <string_view>

#include "platform/redis/child_process.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis {

class ScriptedPeer {
public:
    ScriptedPeer();

    std::uint16_t port() const { return port_; }
    ClientOptions client_options(Milliseconds command_timeout) const;
    // Takes the next connection; the one before stays open.
    void accept();
    void say(std::string_view bytes);
    void hang_up() { connection_.reset(); }

private:
    Descriptor listener_;
    Descriptor before_;
    Descriptor connection_;
    std::uint16_t port_ = 0;
};

}  // namespace adtally::redis
