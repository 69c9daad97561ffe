#include "platform/eventlog/kafka/kafka_log.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>
#include <utility>

#include "platform/eventlog/kafka/kafka_consumer.hpp"
#include "platform/eventlog/kafka/kafka_producer.hpp"
#include "platform/eventlog/kafka/topics.hpp"
#include "platform/observability/log.hpp"

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
constexpr Milliseconds look_every{500};
constexpr std::size_t smallest_batch_limit = 8u << 10;

class KafkaLog final : public EventLog {
public:
    explicit KafkaLog(LogOptions options)
        : options_(std::move(options)), topics_(options_), producer_(producer_options(options_)) {
        asking_ = std::jthread([this](const std::stop_token& stop) {
            ::pthread_setname_np(::pthread_self(), "kafka-topics");
            prepare_topics(stop);
            explain_silence(stop);
        });
    }
    ~KafkaLog() override { close(); }

    Producer& producer() override { return producer_; }

    Result<std::unique_ptr<Consumer>> consumer(std::string_view topic,
                                               AssignmentListener& listener) override {
        asked_ = true;
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
    Result<TopicInfo> topic(std::string_view name) const override {
        asked_ = true;
        return topics_.info(name);
    }
    Result<std::vector<Watermarks>> watermarks(std::string_view topic) const override {
        return topics_.watermarks(topic);
    }
    void close() override {
        asking_.request_stop();
        producer_.close();
    }

private:
    const LogOptions options_;
    mutable Topics topics_;  // remembers what the cluster has said
    KafkaProducer producer_;
    const observability::Logger logger_{"kafka"};
    mutable std::atomic<bool> asked_{false};
    std::mutex mutex_;
    std::condition_variable_any stopped_;
    std::jthread asking_;

    // Numbers of the members that live; shared with them.
    struct Names {
        std::mutex mutex;
        std::set<int> taken;
        bool lost = false;  // another process has the name: joining under it would end that one
    };
    const std::shared_ptr<Names> names_ = std::make_shared<Names>();

    void take_name(ConsumerOptions& options) {
        int number = 0;
        {
            std::lock_guard lock(names_->mutex);
            if (names_->lost)
                return options.instance.clear();
            while (!names_->taken.insert(number).second)
                ++number;
        }
        if (number > 0)
            options.instance += ".w" + std::to_string(number);
        options.on_name_lost = [names = names_] {
            std::lock_guard lock(names->mutex);
            names->lost = true;
        };
        options.name_lease = {nullptr, [names = names_, number](void*) {
                                  std::lock_guard lock(names->mutex);
                                  names->taken.erase(number);
                              }};
    }

    // False when it is time to stop.
    bool wait(const std::stop_token& stop, Milliseconds span) {
        std::unique_lock lock(mutex_);
        stopped_.wait_for(lock, stop, span, [] { return false; });
        return !stop.stop_requested();
    }

    // Producers need their topics too, and nobody asks for those.
    void prepare_topics(const std::stop_token& stop) {
        int failures = 0;
        for (auto topic = options_.topics.begin(); topic != options_.topics.end();) {
            const auto info = topics_.info(topic->name);
            if (info) {
                ++topic;
                continue;
            }
            producer_.set_trouble(info.error().message);
            // Who asks has come by now, and says himself what holds him up. Who only writes has
            // nothing to say before he writes.
            if (++failures == 2 && !asked_)
                logger_.warn("kafka is away", {{"reason", std::string_view(info.error().message)}});
            if (!wait(stop, ask_again_after))
                return;
        }
        if (failures > 0)
            producer_.well();
        if (failures > 1 && !asked_)
            logger_.info("kafka is there");
        ask_limits(stop, false);
    }

    // A cluster may not tell (rights, DESCRIBE_CONFIGS), and then takes what brokers take by
    // default. If it finds that too large, what it takes is found by halving.
    void ask_limits(const std::stop_token& stop, bool is_too_large) {
        auto limit = topics_.max_batch_bytes(stop);
        if (!limit) {
            logger_.info("kafka's limits are not known",
                         {{"reason", std::string_view(limit.error().message)}});
            if (!is_too_large || stop.stop_requested())
                return;
            limit = std::max(producer_.max_batch_bytes() / 2, smallest_batch_limit);
        }
        producer_.set_broker_limit(limit.value());
        if (const std::size_t bytes = producer_.max_record_bytes();
            bytes < options_.max_record_bytes)
            logger_.warn("kafka takes small records only",
                         {{"max_record_bytes", static_cast<std::int64_t>(bytes)}});
    }

    // A broker whose disk is full takes connections, and appends time out without a word. It says
    // what is wrong to who asks: here, before the time is over.
    void explain_silence(const std::stop_token& stop) {
        for (std::uint64_t seen = 0; wait(stop, look_every);) {
            const std::uint64_t before = std::exchange(seen, producer_.acknowledged());
            if (producer_.take_limit_doubt())
                ask_limits(stop, true);
            const LogHealth now = producer_.health();
            if (now.appends_in_flight == 0 || seen != before || !now.up)
                continue;
            for (const LogOptions::Topic& topic : options_.topics)
                if (const auto ends = topics_.watermarks(topic.name); !ends) {
                    producer_.set_trouble(ends.error().message);
                    break;
                }
        }
    }
};

}  // namespace

std::unique_ptr<EventLog> open_kafka_log(LogOptions options) {
    return std::make_unique<KafkaLog>(std::move(options));
}

}  // namespace adtally::eventlog::kafka
