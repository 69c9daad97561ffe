// Registered series live in maps that are sorted by name and labels, so that two scrapes of the
// same state are the same text. Locks: `series_mutex` guards the registered counters and timers,
// `gauge_mutex` the gauges and their callbacks while they run. Neither is touched by an add or an
// observation.
#include "platform/observability/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <sstream>

#include "base/assert.hpp"
#include "platform/observability/log.hpp"
#include "platform/observability/process_figures.hpp"
#include "platform/observability/timer_cells.hpp"

namespace adtally::observability {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class CounterSeries final : public Counter {
public:
    void add(double amount) override {
        ADTALLY_ASSERT(amount >= 0);
        counter_.Increment(amount);
    }
    double value() const override { return counter_.Value(); }

private:
    prometheus::Counter counter_;  // one atomic double
};

struct GaugeSeries {
    const void* owner = nullptr;
    std::function<double()> read;
};

template <class Series>
struct Family {
    std::string help;
    std::map<Labels, Series> series;
};

template <class Series>
using Families = std::map<std::string, Family<Series>>;

// The first registration's help stays.
template <class Series>
Series& series_of(Families<Series>& families, const std::string& name, const std::string& help,
                  Labels labels) {
    Family<Series>& family = families[name];
    if (family.help.empty())
        family.help = help;
    return family.series[std::move(labels)];
}

bool is_name(std::string_view text, bool colon) {
    const auto letter = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
    };
    return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
        return letter(c) || (c >= '0' && c <= '9');
    });
}

// The text format's only escapes in a HELP line; prometheus-cpp writes it as it is.
std::string escaped_help(const std::string& name, const std::string& help) {
    std::string out;
    for (const char c : help.empty() ? name : help) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

ClientMetric labelled(const Labels& labels) {
    ClientMetric out;
    for (const auto& [name, value] : labels)
        out.label.push_back({name, value});
    return out;
}

MetricFamily family_of(const std::string& name, const std::string& help, MetricType type) {
    MetricFamily out;
    out.name = name;
    out.help = escaped_help(name, help);
    out.type = type;
    return out;
}

MetricFamily single(const char* name, const char* help, MetricType type, const Labels& labels,
                    double value) {
    MetricFamily out = family_of(name, help, type);
    ClientMetric metric = labelled(labels);
    metric.gauge.value = value;
    metric.counter.value = value;
    out.metric.push_back(std::move(metric));
    return out;
}

ClientMetric histogram_of(const Labels& labels, const TimerCells::Snapshot& snapshot) {
    ClientMetric out = labelled(labels);
    for (std::size_t i = 0; i < TimerCells::kBounds.size(); ++i)
        out.histogram.bucket.push_back({snapshot.cumulative[i], TimerCells::kBounds[i]});
    out.histogram.bucket.push_back(
        {snapshot.cumulative.back(), std::numeric_limits<double>::infinity()});
    out.histogram.sample_count = snapshot.cumulative.back();
    out.histogram.sample_sum = snapshot.sum_seconds;
    return out;
}

void append_process(std::vector<MetricFamily>& out, const ProcessFigures& figures,
                    const Labels& common, const Labels& disk) {
    const auto gauge = [&](const char* name, const char* help, double value) {
        out.push_back(single(name, help, MetricType::Gauge, common, value));
    };
    gauge("process_start_time_seconds", "Start time of the process since the Unix epoch",
          figures.start_time_seconds);
    gauge("process_uptime_seconds", "Time since the process started", figures.uptime_seconds);
    gauge("process_cpu_usage", "Share of all processors used by the process, 0 to 1",
          figures.cpu_usage);
    out.push_back(single("process_cpu_seconds_total", "Processor time used by the process",
                         MetricType::Counter, common, figures.cpu_seconds));
    gauge("process_resident_memory_bytes", "Resident memory of the process",
          figures.resident_bytes);
    gauge("process_files_open_files", "Open file descriptors", figures.open_files);
    gauge("process_files_max_files", "Most file descriptors the process may open",
          figures.max_files);
    gauge("system_cpu_count", "Processors available to the process", figures.cpu_count);
    gauge("system_cpu_usage", "Share of all processors used on the machine, 0 to 1",
          figures.system_cpu_usage);
    gauge("system_load_average_1m", "Load average of the machine over one minute",
          figures.load_average_1m);
    out.push_back(single("disk_free_bytes", "Usable space of the working directory's file system",
                         MetricType::Gauge, disk, figures.disk_free_bytes));
    out.push_back(single("disk_total_bytes", "Size of the working directory's file system",
                         MetricType::Gauge, disk, figures.disk_total_bytes));
}

}  // namespace

struct MetricRegistry::Impl {
    enum class Kind { counter, timer, timer_max, gauge, built_in };

    Impl(std::string name, const Clock* given) : application(std::move(name)), clock(given) {
        for (const MetricFamily& family : built_in(0))
            kinds.emplace(family.name, Kind::built_in);
    }

    // With `application`, sorted by name.
    Labels complete(Labels labels) const {
        for (const auto& [name, value] : labels)
            ADTALLY_ASSERT(is_name(name, false) && name != "application" && name != "le");
        labels.emplace_back("application", application);
        std::sort(labels.begin(), labels.end());
        return labels;
    }

    // A name belongs to one kind for good: two families of a name would make a scrape unreadable.
    void claim(const std::string& name, Kind kind) {
        ADTALLY_ASSERT(is_name(name, true));
        std::lock_guard lock(kinds_mutex);
        ADTALLY_ASSERT(kinds.emplace(name, kind).first->second == kind);
    }

    std::vector<MetricFamily> built_in(double seconds_to_ready) const {
        std::vector<MetricFamily> out;
        const ProcessFigures figures = process.read();
        const Labels common = complete({});
        append_process(out, figures, common, complete({{"path", figures.disk_path}}));
        if (seconds_to_ready >= 0) {
            out.push_back(single("application_started_time_seconds",
                                 "Time taken to start the application", MetricType::Gauge, common,
                                 seconds_to_ready));
            out.push_back(single("application_ready_time_seconds",
                                 "Time taken until the application was ready to serve",
                                 MetricType::Gauge, common, seconds_to_ready));
        }
        MetricFamily lines =
            family_of("logback_events_total", "Log lines written, by level", MetricType::Counter);
        constexpr std::pair<Level, const char*> kLevels[] = {{Level::debug, "debug"},
                                                             {Level::error, "error"},
                                                             {Level::info, "info"},
                                                             {Level::trace, "trace"},
                                                             {Level::warn, "warn"}};
        for (const auto& [level, name] : kLevels) {
            ClientMetric metric = labelled(complete({{"level", name}}));
            metric.counter.value = static_cast<double>(lines_logged(level));
            lines.metric.push_back(std::move(metric));
        }
        out.push_back(std::move(lines));
        return out;
    }

    void append_series(std::vector<MetricFamily>& out) const {
        std::lock_guard lock(series_mutex);
        for (const auto& [name, family] : counters) {
            MetricFamily text = family_of(name, family.help, MetricType::Counter);
            for (const auto& [labels, counter] : family.series) {
                ClientMetric metric = labelled(labels);
                metric.counter.value = counter->value();
                text.metric.push_back(std::move(metric));
            }
            out.push_back(std::move(text));
        }
        for (const auto& [name, family] : timers) {
            MetricFamily text = family_of(name, family.help, MetricType::Histogram);
            MetricFamily max = family_of(name + "_max", family.help, MetricType::Gauge);
            for (const auto& [labels, timer] : family.series) {
                const TimerCells::Snapshot snapshot = timer->snapshot();
                text.metric.push_back(histogram_of(labels, snapshot));
                ClientMetric metric = labelled(labels);
                metric.gauge.value = snapshot.max_seconds;
                max.metric.push_back(std::move(metric));
            }
            out.push_back(std::move(text));
            out.push_back(std::move(max));
        }
    }

    void append_gauges(std::vector<MetricFamily>& out) const {
        std::lock_guard lock(gauge_mutex);
        for (const auto& [name, family] : gauges) {
            MetricFamily text = family_of(name, family.help, MetricType::Gauge);
            for (const auto& [labels, gauge] : family.series) {
                ClientMetric metric = labelled(labels);
                metric.gauge.value = gauge.read();
                text.metric.push_back(std::move(metric));
            }
            out.push_back(std::move(text));
        }
    }

    const std::string application;
    const Clock* const clock;
    mutable ProcessReader process;
    std::atomic<double> ready_after{-1};

    std::mutex kinds_mutex;
    std::map<std::string, Kind> kinds;
    mutable std::mutex series_mutex;
    Families<std::unique_ptr<CounterSeries>> counters;
    Families<std::unique_ptr<TimerCells>> timers;
    mutable std::mutex gauge_mutex;
    Families<GaugeSeries> gauges;
};

namespace {

const Clock& system_clock() {
    static const SystemClock clock;  // has no state
    return clock;
}

}  // namespace

MetricRegistry::MetricRegistry(std::string application)
    : MetricRegistry(std::move(application), system_clock()) {}

MetricRegistry::MetricRegistry(std::string application, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(application), &clock)) {}

MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::counter(const std::string& name, const std::string& help, Labels labels) {
    impl_->claim(name, Impl::Kind::counter);
    std::lock_guard lock(impl_->series_mutex);
    auto& series = series_of(impl_->counters, name, help, impl_->complete(std::move(labels)));
    if (!series)
        series = std::make_unique<CounterSeries>();
    return *series;
}

Timer& MetricRegistry::timer(const std::string& name, const std::string& help, Labels labels) {
    impl_->claim(name, Impl::Kind::timer);
    impl_->claim(name + "_max", Impl::Kind::timer_max);
    std::lock_guard lock(impl_->series_mutex);
    auto& series = series_of(impl_->timers, name, help, impl_->complete(std::move(labels)));
    if (!series)
        series = std::make_unique<TimerCells>(*impl_->clock);
    return *series;
}

void MetricRegistry::gauge(const void* owner, const std::string& name, const std::string& help,
                           Labels labels, std::function<double()> read) {
    ADTALLY_ASSERT(read != nullptr);
    impl_->claim(name, Impl::Kind::gauge);
    std::lock_guard lock(impl_->gauge_mutex);
    series_of(impl_->gauges, name, help, impl_->complete(std::move(labels))) = {owner,
                                                                                std::move(read)};
}

void MetricRegistry::remove_gauges(const void* owner) {
    std::lock_guard lock(impl_->gauge_mutex);
    for (auto& [name, family] : impl_->gauges)
        std::erase_if(family.series,
                      [&](const auto& entry) { return entry.second.owner == owner; });
    std::erase_if(impl_->gauges, [](const auto& entry) { return entry.second.series.empty(); });
}

void MetricRegistry::mark_ready() {
    impl_->ready_after.store(impl_->process.uptime_seconds());
}

std::string MetricRegistry::prometheus_text() const {
    std::vector<MetricFamily> families = impl_->built_in(impl_->ready_after.load());
    impl_->append_series(families);
    impl_->append_gauges(families);
    std::sort(families.begin(), families.end(),
              [](const MetricFamily& a, const MetricFamily& b) { return a.name < b.name; });
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return out.str();
}

}  // namespace adtally::observability
