// Sends the requests: one thread, epoll, non-blocking sockets, one request under way a connection.
//
// Open loop: what the schedule says is due goes out on the next free connection; with none free it
// waits, and the wait counts. Closed loop: every connection always has a request under way; latency
// counts from the send. Measured are the requests that are due (open) or sent (closed) after the
// warm-up.
//
// A request fails by status (anything but 2xx), by a broken connection or by `timeout`; it is never
// sent again. After the end what is under way or still due has `timeout` to finish.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "load/answer.hpp"
#include "load/histogram.hpp"
#include "load/requests.hpp"
#include "load/schedule.hpp"

namespace adtally::load {

struct EngineOptions {
    sockaddr_in server{};
    double per_second = 1'000;  // open loop
    bool closed = false;
    std::chrono::duration<double> warmup{2};
    std::chrono::duration<double> duration{10};
    std::uint64_t most_requests = 0;  // after the warm-up; 0: as many as the duration gives
    std::size_t connections = 64;
    std::size_t batch = 1;  // events a request
    Milliseconds timeout{10'000};
    // Open loop: sends and reads come in rounds at least this far apart, since waking for every
    // single request and answer would cost more CPU than serving them, and the CPU is shared with
    // what is measured. Latencies are too high by up to two rounds, never too low.
    std::chrono::microseconds tick{250};
    std::function<void()> measuring_begins = [] {};
    std::function<void()> measuring_ends = [] {};
};

struct EngineResult {
    Histogram ack;                                // µs, of the requests answered 2xx
    std::uint64_t requests = 0;                   // measured
    std::uint64_t acknowledged = 0;               // of them, 2xx
    std::uint64_t events = 0;                     // in acknowledged requests
    std::uint64_t rejected_events = 0;            // that an acknowledged batch did not take
    std::map<int, std::uint64_t> statuses;        // of all measured answers
    std::map<std::string, std::uint64_t> errors;  // "timeout", "connection", "malformed", "unsent"
    double seconds = 0;                           // from the end of the warm-up to the last answer
    std::uint64_t error_count() const { return requests - acknowledged; }
};

class Engine {
public:
    // `requests` outlives the engine.
    Engine(EngineOptions options, Requests& requests);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Fails when not one connection could be made.
    Result<EngineResult> run();

private:
    enum class Stage : std::uint8_t { closed, connecting, idle, busy };
    struct Connection {
        int file = -1;
        Stage stage = Stage::closed;
        bool wants_write = false;
        bool measured = false;
        std::string out;
        std::size_t sent = 0;
        Answer answer;
        Moment since{};      // busy: due or sent, latency counts from here
        Moment deadline{};   // busy, connecting
        Moment reconnect{};  // closed: not before
    };

    void open(Connection& connection, Moment now);
    void close(Connection& connection, Moment now);
    void fail(Connection& connection, const char* reason, Moment now);
    void watch(Connection& connection, std::uint32_t events, bool add);
    void become_idle(Connection& connection);
    void on_event(Connection& connection, std::uint32_t events);
    void on_readable(Connection& connection);
    void complete(Connection& connection);
    void write(Connection& connection);
    void start(Connection& connection, Moment since, bool measured, Moment now);
    void start_due(Moment now);
    void check_deadlines(Moment now);
    void poll(Moment until);
    bool finished(Moment now);
    void plan(Moment now);

    EngineOptions options_;
    Requests& requests_;
    EngineResult result_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::deque<Connection*> idle_;
    std::size_t busy_ = 0;
    bool ever_connected_ = false;
    int epoll_ = -1;
    Schedule schedule_{Moment{}, 1};
    Moment begin_{};  // of the measurement
    Moment end_{};    // nothing is due from here on
    bool measuring_ = false;
    std::uint64_t next_ = 0;   // index in the schedule
    std::uint64_t total_ = 0;  // requests in the schedule, open loop
    std::uint64_t warmup_count_ = 0;
    std::uint64_t started_ = 0;  // measured, closed loop
    Moment last_answer_{};
    Moment next_check_{};
    Moment next_round_{};
    std::vector<char> buffer_;
};

}  // namespace adtally::load
