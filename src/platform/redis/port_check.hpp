// Whether a port of 127.0.0.1 can be listened on, and who has it if not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace adtally::redis {

// 0: it can; otherwise the errno, EADDRINUSE among them.
int listening_error(std::uint16_t port);

enum class Occupant : std::uint8_t {
    same_directory,  // a redis-server that works in this directory
    other_redis,     // a redis-server that works elsewhere
    unknown,         // it gave no such answer: another program, or a redis-server that is ending
};

// Asks what listens there; at most a second.
Occupant find_occupant(std::uint16_t port, const std::filesystem::path& directory);

// One line with the remedies.
std::string port_in_use(std::uint16_t port, Occupant occupant,
                        const std::filesystem::path& directory);

}  // namespace adtally::redis
