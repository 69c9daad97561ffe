// `./dev up --demo`: a lifelike stream of advertising events through the running services, and
// what the processor makes of it, live in the terminal.
//
// Design. One thread makes traffic (traffic.hpp) and posts it as any client would; the calling
// thread reads the processor's metrics API twice a second and draws the table (table.hpp). What is
// shown has gone all the way: collector, log, processor, Redis, API.
//
// The demonstration's ads are 101–108 in campaigns 11–13: ad 1 is left to whoever tries the curl.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

namespace adtally::demo {

struct DemoOptions {
    std::string collector_url = "http://127.0.0.1:8085";
    std::string processor_url = "http://127.0.0.1:8086";
    std::string redis_port = "6379";  // for the hint only
    // Replayed once at the start, moved so that it ends now, under ids of this run.
    // Empty: find_sample(); a demonstration without a sample goes on without it and says so.
    std::string sample_file{};
    double events_per_second = 200;
    std::uint64_t seed = 0;  // 0: different in every run
};

// deploy/sample/events.ndjson beside the working directory or above the executable; else empty.
std::string find_sample();

// Returns 0 when `stop` ends it; 1 when the services did not answer for 30 s at the start.
int run_demo(const DemoOptions& options, std::stop_token stop);

}  // namespace adtally::demo
