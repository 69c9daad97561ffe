// Counters, gauges and timers of a process, in Prometheus' text format.
//
// Names are Micrometer's where it has one (docs: http_server_requests_seconds and so on), because
// that is what dashboards know; ours begin with adtally_. Every series carries the label
// `application`. Registering the same name and labels again gives the same object. All methods of
// the returned objects may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace adtally::observability {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
public:
    virtual ~Counter() = default;
    virtual void add(double amount) = 0;
    virtual double value() const = 0;
};

// Seconds; a histogram with buckets from 1 ms to 10 s, and the largest of the last two minutes as
// the gauge `<name>_max`.
class Timer {
public:
    virtual ~Timer() = default;
    virtual void observe_seconds(double seconds) = 0;
};

class MetricRegistry {
public:
    explicit MetricRegistry(std::string application);
    // The clock must outlive the registry; it decides what the last two minutes of a maximum are.
    MetricRegistry(std::string application, const Clock& clock);
    ~MetricRegistry();
    MetricRegistry(const MetricRegistry&) = delete;

    Counter& counter(const std::string& name, const std::string& help, Labels labels = {});
    Timer& timer(const std::string& name, const std::string& help, Labels labels = {});
    // Read when scraped; `read` must be thread-safe and quick, and outlive nothing: it is dropped
    // by remove_gauges(owner), after which it neither runs nor will run. So do not call either with
    // a lock held that `read` takes. The same name and labels again replace the earlier gauge.
    void gauge(const void* owner, const std::string& name, const std::string& help, Labels labels,
               std::function<double()> read);
    void remove_gauges(const void* owner);

    // Once everything runs: from here on application_started_time_seconds and
    // application_ready_time_seconds tell how long the process took to get there.
    void mark_ready();

    // text/plain;version=0.0.4, with process_*, system_*, disk_* and application_* added.
    std::string prometheus_text() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adtally::observability
