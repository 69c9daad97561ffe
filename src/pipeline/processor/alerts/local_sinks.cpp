// Sinks inside the platform: our log, our topic, a listener.
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "pipeline/processor/alerts/sink.hpp"

namespace adtally::alerts {
namespace {

class LogSink final : public AlertSink {
public:
    std::string name() const override { return "log"; }
    Status deliver(const Anomaly& anomaly) override {
        std::string text = summary(anomaly);
        logger_.warn("anomaly", {{"incident", std::string_view(anomaly.id)},
                                 {"rule", std::string_view(anomaly.rule)},
                                 {"state", std::string_view(anomaly.state)},
                                 {"summary", std::string_view(text)}});
        return ok();
    }

private:
    observability::Logger logger_{"data-processor"};
};

class TopicSink final : public AlertSink {
public:
    TopicSink(eventlog::Producer& producer, std::string topic)
        : producer_(producer), topic_(std::move(topic)) {}
    std::string name() const override { return "topic"; }
    Status deliver(const Anomaly& anomaly) override {
        eventlog::RecordBatch batch;
        batch.add(anomaly.entity + ":" + anomaly.entity_id, to_json(anomaly));
        batch.add_header("content-type", "application/json");
        auto answer = std::make_shared<Answer>();
        producer_.append(topic_, std::move(batch), [answer](Status status) {
            std::lock_guard lock(answer->mutex);
            answer->status.emplace(std::move(status));
            answer->changed.notify_all();
        });
        std::unique_lock lock(answer->mutex);
        constexpr auto patience = Milliseconds{10'000};
        if (!answer->changed.wait_until(lock, Deadline::after(patience).at(),
                                        [&] { return answer->status.has_value(); }))
            return Error{ErrorCode::timed_out, "the event log did not answer"};
        return *answer->status;
    }

private:
    struct Answer {
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<Status> status;
    };
    eventlog::Producer& producer_;
    std::string topic_;
};

class ListenerSink final : public AlertSink {
public:
    ListenerSink(std::string name, std::function<void(const std::string&)> listener)
        : name_(std::move(name)), listener_(std::move(listener)) {}
    std::string name() const override { return name_; }
    Status deliver(const Anomaly& anomaly) override {
        listener_(to_json(anomaly));
        return ok();
    }

private:
    std::string name_;
    std::function<void(const std::string&)> listener_;
};

}  // namespace

std::unique_ptr<AlertSink> make_log_sink() {
    return std::make_unique<LogSink>();
}

std::unique_ptr<AlertSink> make_topic_sink(eventlog::Producer& producer, std::string topic) {
    return std::make_unique<TopicSink>(producer, std::move(topic));
}

std::unique_ptr<AlertSink> make_listener_sink(std::string name,
                                              std::function<void(const std::string&)> listener) {
    return std::make_unique<ListenerSink>(std::move(name), std::move(listener));
}

}  // namespace adtally::alerts
