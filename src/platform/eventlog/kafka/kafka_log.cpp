#include "platform/eventlog/kafka/kafka_log.hpp"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>
#include <utility>

#include "platform/eventlog/kafka/kafka_consumer.hpp"
#include "platform/eventlog/kafka/kafka_producer.hpp"
#include "platform/eventlog/kafka/topics.hpp"

namespace adtally::eventlog::kafka {
namespace {

ProducerOptions producer_options(const LogOptions& options) {
    return {.cluster = options.cluster,
            .deadline = options.append_deadline,
            .linger = options.linger,
            .max_record_bytes = options.max_record_bytes,
            .max_bytes_in_flight = options.max_bytes_in_flight};
}

constexpr Milliseconds ask_again_after{1'000};

class KafkaLog final : public EventLog {
public:
    explicit KafkaLog(LogOptions options)
        : options_(std::move(options)), topics_(options_), producer_(producer_options(options_)) {
        preparing_ = std::jthread([this](const std::stop_token& stop) { prepare_topics(stop); });
    }
    ~KafkaLog() override { close(); }

    Producer& producer() override { return producer_; }

    Result<std::unique_ptr<Consumer>> consumer(std::string_view topic,
                                               AssignmentListener& listener) override {
        ADTALLY_TRY(auto info, topics_.info(topic));
        const bool compacted = topics_.options_of(topic)->compacted;
        ConsumerOptions options{.cluster = options_.cluster,
                                .group = compacted ? std::string{} : options_.group,
                                .partitions = info.partitions,
                                .instance = options_.instance,
                                .session_timeout = options_.session_timeout,
                                .heartbeat = options_.heartbeat,
                                .may_have_holes = compacted,
                                .question_timeout = options_.question_timeout};
        if (!compacted && !options_.instance.empty())
            take_name(options);
        ADTALLY_TRY(auto consumer, KafkaConsumer::open(options, std::move(info.name), listener));
        return std::unique_ptr<Consumer>{std::move(consumer)};
    }

    Result<std::unique_ptr<Reader>> reader(std::string_view topic) override {
        ADTALLY_TRY(auto info, topics_.info(topic));
        ADTALLY_TRY(auto reader, RangeReader::open(options_.cluster, std::move(info.name),
                                                   options_.question_timeout));
        return std::unique_ptr<Reader>{std::make_unique<RangeReader>(std::move(reader))};
    }
    Result<TopicInfo> topic(std::string_view name) const override { return topics_.info(name); }
    Result<std::vector<Watermarks>> watermarks(std::string_view topic) const override {
        return topics_.watermarks(topic);
    }
    void close() override {
        preparing_.request_stop();
        producer_.close();
    }

private:
    const LogOptions options_;
    mutable Topics topics_;  // remembers what the cluster has said
    KafkaProducer producer_;
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread preparing_;

    // Numbers of the members that live; shared with them.
    struct Names {
        std::mutex mutex;
        std::set<int> taken;
    };
    const std::shared_ptr<Names> names_ = std::make_shared<Names>();

    void take_name(ConsumerOptions& options) {
        int number = 0;
        {
            std::lock_guard lock(names_->mutex);
            while (!names_->taken.insert(number).second)
                ++number;
        }
        if (number > 0)
            options.instance += "-" + std::to_string(number);
        options.name_lease = {nullptr, [names = names_, number](void*) {
                                  std::lock_guard lock(names->mutex);
                                  names->taken.erase(number);
                              }};
    }

    // Producers need their topics too, and nobody asks for those.
    void prepare_topics(const std::stop_token& stop) {
        ::pthread_setname_np(::pthread_self(), "kafka-topics");
        for (auto topic = options_.topics.begin(); topic != options_.topics.end();) {
            const auto info = topics_.info(topic->name);
            if (info) {
                ++topic;
                continue;
            }
            producer_.set_trouble(info.error().message);
            std::unique_lock lock(mutex_);
            if (stopped_.wait_for(lock, stop, ask_again_after, [] { return false; }) ||
                stop.stop_requested())
                return;
        }
        producer_.set_trouble({});
    }
};

}  // namespace

std::unique_ptr<EventLog> open_kafka_log(LogOptions options) {
    return std::make_unique<KafkaLog>(std::move(options));
}

}  // namespace adtally::eventlog::kafka
