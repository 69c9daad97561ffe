#include "platform/redis/server_arguments.hpp"

namespace adtally::redis {

std::vector<std::string> server_arguments(const SupervisorOptions& options) {
    return {"--port",
            std::to_string(options.port),
            "--bind",
            "127.0.0.1",
            "--protected-mode",
            "yes",
            "--dir",
            options.directory.string(),
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--aof-load-truncated",
            "yes",
            "--save",
            "",
            "--maxmemory-policy",
            "noeviction",
            "--daemonize",
            "no",
            "--loglevel",
            "notice",
            "--tcp-keepalive",
            "60",
            "--always-show-logo",
            "no"};
}

}  // namespace adtally::redis
