// SIGINT, SIGTERM and SIGHUP as something to wait for.
//
// Signals are blocked in every thread and taken by the one that waits here: no handler runs at a
// surprising place. SIGPIPE is ignored: a peer that goes away is an error code, not a death.
#pragma once

#include <functional>

namespace adtally::app {

// First thing in the process, before any thread is started.
void block_signals();
// Returns at SIGINT or SIGTERM; calls `reload` at every SIGHUP. A second SIGINT or SIGTERM while
// stopping ends the process at once.
void wait_for_stop(const std::function<void()>& reload);
// Whether SIGINT or SIGTERM waits to be taken: for what is long and comes before wait_for_stop().
bool stop_is_pending();
// Makes wait_for_stop() return, from any thread.
void request_stop();

}  // namespace adtally::app
