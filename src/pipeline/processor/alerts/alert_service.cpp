#include "pipeline/processor/alerts/alert_service.hpp"

#include <pthread.h>
#include <algorithm>
#include <utility>

#include "pipeline/processor/redis_sink/flush_script.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::alerts {

namespace keys = redis_sink::keys;

namespace {

// No: Redis counts another log, whose incidents are another installation's, or none yet.
// `ours`: asked once, alerts go out also while the log is away.
Result<bool> is_ours(redis::Client& client, const AlertOptions& options, std::string& ours) {
    if (!options.log_id)
        return true;
    if (ours.empty()) {
        auto asked = options.log_id();
        if (!asked)
            return false;  // who reads the log says what keeps it away
        ours = std::move(asked.value());
    }
    ADTALLY_TRY(const auto bound, client.command({"GET", keys::log_binding(options.topic)}));
    return bound.text == ours;
}

}  // namespace

void StopSignal::request() {
    std::lock_guard lock(mutex_);
    requested_ = true;
    changed_.notify_all();
}

bool StopSignal::requested() const {
    std::lock_guard lock(mutex_);
    return requested_;
}

bool StopSignal::wait(Milliseconds span) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, span, [this] { return requested_; });
}

class AlertService::Worker {
public:
    Worker(const AlertOptions& options, std::unique_ptr<AlertSink> sink, const Clock& clock,
           observability::MetricRegistry& metrics, CrashPoints& crash_points, StopSignal& stop)
        : options_(options),
          sink_(std::move(sink)),
          clock_(clock),
          crash_points_(crash_points),
          stop_(stop),
          client_(options.redis),
          delivered_(metrics.counter("adtally_alerts_delivered_total", "Alerts taken by a sink",
                                     {{"sink", sink_->name()}})),
          failed_(metrics.counter("adtally_alerts_failed_total",
                                  "Attempts that a sink did not take; they are repeated",
                                  {{"sink", sink_->name()}})),
          beginning_(std::to_string(clock.wall().value - 60'000) + "-0") {}

    Status begin() {
        ADTALLY_TRY(const bool bound, is_ours(client_, options_, log_id_));
        return bound ? prepare() : ok();
    }

    // A sink without a cursor is told what happens from now on, not history. "Now" is when this
    // worker was made, less a minute for clocks that differ: Redis may be away until later.
    Status prepare() {
        std::string key = keys::delivered(sink_->name());
        ADTALLY_TRY(client_.command({"SET", key, beginning_, "NX"}));
        ADTALLY_TRY(auto stored, client_.command({"GET", key}));
        cursor_ = stored.text;
        return ok();
    }

    void run() {
        Milliseconds backoff{0};
        bool reached = true;  // Redis, in the last round: a lease is not given back into silence
        while (!stop_.wait(std::max(options_.poll_interval, backoff))) {
            Status status = round();
            reached = status.has_value();
            if (status) {
                backoff = Milliseconds{0};
                continue;
            }
            backoff = std::clamp(backoff * 2, options_.backoff_min, options_.backoff_max);
            cursor_.clear();
            failed_.add(1);
            logger_.warn("alert sink does not take alerts",
                         {{"sink", std::string_view(sink_name_)},
                          {"error", std::string_view(status.error().message)},
                          {"retryMs", backoff.count()}});
        }
        if (reached)
            release();
    }

private:
    Status round() {
        ADTALLY_TRY(bool ours, hold_lease());
        if (!ours)
            return ok();
        if (cursor_.empty()) {
            ADTALLY_TRY(prepare());
        }
        std::string after = "(" + cursor_;
        ADTALLY_TRY(auto entries,
                    client_.command({"XRANGE", keys::anomalies, after, "+", "COUNT", "100"}));
        for (const redis::Reply& entry : entries.elements) {
            if (stop_.requested())
                return ok();
            ADTALLY_TRY(pass_on(entry));
        }
        return ok();
    }

    Status pass_on(const redis::Reply& entry) {
        auto anomaly = parse_anomaly(entry);
        if (anomaly) {
            crash_points_.pass(CrashPoint::alert_before_delivery);
            ADTALLY_TRY(sink_->deliver(*anomaly));
            crash_points_.pass(CrashPoint::alert_after_delivery);
            delivered_.add(1);
        }
        if (entry.elements.empty())
            return Error{ErrorCode::internal, "Redis answered XRANGE with an entry without an id"};
        cursor_ = entry.elements[0].text;
        ADTALLY_TRY(client_.command({"SET", keys::delivered(sink_name_), cursor_}));
        return ok();
    }

    Result<bool> hold_lease() {
        SteadyTime now = clock_.steady();
        if (held_ && now - renewed_ < options_.lease / 3)
            return true;
        ADTALLY_TRY(const bool bound, is_ours(client_, options_, log_id_));
        if (!bound) {
            held_ = false;
            return false;
        }
        std::string key = keys::delivery_lease(sink_name_);
        std::string span = std::to_string(options_.lease.count());
        ADTALLY_TRY(client_.command({"SET", key, options_.instance, "NX", "PX", span}));
        ADTALLY_TRY(auto holder, client_.command({"GET", key}));
        bool ours = holder.text == options_.instance;
        if (ours) {
            ADTALLY_TRY(client_.command({"PEXPIRE", key, span}));
        }
        // Whoever held it before has moved the cursor since we last looked.
        if (!ours || !held_)
            cursor_.clear();
        held_ = ours;
        renewed_ = now;
        return ours;
    }

    void release() {
        if (held_)
            (void)client_.command({"DEL", keys::delivery_lease(sink_name_)});
    }

    const AlertOptions& options_;
    std::unique_ptr<AlertSink> sink_;
    std::string sink_name_ = sink_->name();
    const Clock& clock_;
    CrashPoints& crash_points_;
    StopSignal& stop_;
    redis::Client client_;
    observability::Counter& delivered_;
    observability::Counter& failed_;
    observability::Logger logger_{"data-processor"};
    const std::string beginning_;
    std::string log_id_;
    std::string cursor_;
    bool held_ = false;
    SteadyTime renewed_{};
};

AlertService::AlertService(AlertOptions options, std::vector<std::unique_ptr<AlertSink>> sinks,
                           const Clock& clock, observability::MetricRegistry& metrics,
                           CrashPoints& crash_points)
    : options_(std::move(options)), clock_(clock) {
    for (auto& sink : sinks)
        workers_.push_back(std::make_unique<Worker>(options_, std::move(sink), clock, metrics,
                                                    crash_points, stop_));
}

AlertService::~AlertService() {
    stop();
}

void AlertService::start() {
    for (auto& worker : workers_)
        (void)worker->begin();  // Redis away: the worker tries again
    for (auto& worker : workers_)
        threads_.emplace_back([&worker = *worker] {
            pthread_setname_np(pthread_self(), "proc-alert");
            worker.run();
        });
    threads_.emplace_back([this] {
        pthread_setname_np(pthread_self(), "proc-sweep");
        sweep();
    });
}

void AlertService::stop() {
    stop_.request();
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
}

void AlertService::sweep() {
    redis::Client client(options_.redis);
    std::string log_id;
    redis::Script script(redis_sink::sweep_script_source());
    std::string quiet = std::to_string(options_.quiet_closes_after.count());
    std::string cursors[] = {"0", "0"};
    while (!stop_.wait(options_.sweep_interval)) {
        if (const auto bound = is_ours(client, options_, log_id); !bound || !bound.value())
            continue;
        std::string now = std::to_string(clock_.wall().value);
        std::string_view names[] = {keys::open_incidents, keys::anomalies, keys::ad_windows,
                                    keys::campaign_windows};
        std::string_view arguments[] = {now, quiet, cursors[0], cursors[1]};
        auto reply = redis::evaluate(client, script, names, arguments);
        if (!reply || reply.value().elements.size() != 3)
            continue;  // the next round tries again
        cursors[0] = reply.value().elements[1].text;
        cursors[1] = reply.value().elements[2].text;
    }
}

}  // namespace adtally::alerts
