#include "platform/eventlog/kafka/topics.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <utility>

#include "platform/eventlog/kafka/ends.hpp"

namespace adtally::eventlog::kafka {
namespace {

constexpr int broker_default = -1;  // replication
// The first question waits so long, then it is looked whether it is known why nobody answers.
constexpr Milliseconds look_every{200};

template <class T, void (*destroy)(T*)>
struct Destroy {
    void operator()(T* object) const { destroy(object); }
};
template <class T, void (*destroy)(T*)>
using Owned = std::unique_ptr<T, Destroy<T, destroy>>;

void free_text(char* text) {
    rd_kafka_mem_free(nullptr, text);
}

int ms(Milliseconds span) {
    return static_cast<int>(span.count());
}

Result<std::size_t> batch_limit_of(const rd_kafka_ConfigResource_t* topic) {
    const std::string what =
        fmt::format("the limits of topic {}", rd_kafka_ConfigResource_name(topic));
    if (const auto failure = rd_kafka_ConfigResource_error(topic); failure != 0)
        return to_error(failure, what);
    std::size_t count = 0;
    const auto* const* entries = rd_kafka_ConfigResource_configs(topic, &count);
    for (std::size_t i = 0; i < count; ++i) {
        if (std::string_view{rd_kafka_ConfigEntry_name(entries[i])} != "max.message.bytes")
            continue;
        const std::string_view value{rd_kafka_ConfigEntry_value(entries[i])};
        std::size_t bytes = 0;
        if (std::from_chars(value.data(), value.data() + value.size(), bytes).ec == std::errc{})
            return bytes;
    }
    return Error{ErrorCode::not_found, what + ": max.message.bytes is not among them"};
}

}  // namespace

Topics::Topics(const LogOptions& options)
    : topics_(options.topics), create_(options.create_topics), timeout_(options.question_timeout) {
    // What bounds a question whose broker is silent.
    auto conf = make_conf(
        options.cluster, {{"socket.timeout.ms", std::to_string(options.question_timeout.count())}});
    if (!conf)
        throw std::runtime_error(conf.error().message);
    tell(conf.value().get(), cause_);
    auto handle = connect(Role::producer, std::move(conf.value()));
    if (!handle)
        throw std::runtime_error(handle.error().message);
    handle_ = std::move(handle.value());
}

const LogOptions::Topic* Topics::options_of(std::string_view name) const {
    const auto found = std::find_if(topics_.begin(), topics_.end(),
                                    [&](const auto& topic) { return topic.name == name; });
    return found == topics_.end() ? nullptr : &*found;
}

Result<TopicInfo> Topics::info(std::string_view name) {
    {
        std::lock_guard lock(mutex_);
        if (const auto found = known_.find(name); found != known_.end())
            return found->second;
    }
    const LogOptions::Topic* options = options_of(name);
    if (options == nullptr)
        return Error{ErrorCode::not_found, fmt::format("there is no topic {}", name)};
    auto partitions = partitions_of(options->name);
    if (!partitions && partitions.error().code == ErrorCode::not_found && create_) {
        ADTALLY_TRY(create(*options));
        // It is made before all brokers know it.
        const Deadline deadline = Deadline::after(timeout_);
        partitions = partitions_of(options->name);
        while (!partitions && partitions.error().code == ErrorCode::not_found &&
               !deadline.passed()) {
            rd_kafka_poll(handle_.get(), ms(look_every));
            partitions = partitions_of(options->name);
        }
    }
    if (!partitions)
        return partitions.error();
    const Owned<char, free_text> cluster{rd_kafka_clusterid(handle_.get(), ms(timeout_))};
    if (cluster == nullptr)
        return Error{ErrorCode::unavailable, "Kafka does not say the id of its cluster"};
    const TopicInfo info{options->name, partitions.value(), cluster.get()};
    std::lock_guard lock(mutex_);
    known_.emplace(info.name, info);
    return info;
}

Result<std::int32_t> Topics::partitions_of(const std::string& name) {
    const Owned<rd_kafka_topic_t, rd_kafka_topic_destroy> topic{
        rd_kafka_topic_new(handle_.get(), name.c_str(), nullptr)};
    const rd_kafka_metadata_t* answer = nullptr;
    if (const int failure = ask(topic.get(), &answer); failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        return why(failure, "topic " + name);
    cause_.clear();
    const std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> metadata{
        answer, rd_kafka_metadata_destroy};
    if (metadata->topic_cnt != 1)
        return Error{ErrorCode::unavailable, "Kafka says nothing of topic " + name};
    if (const auto said = metadata->topics[0].err; said != RD_KAFKA_RESP_ERR_NO_ERROR)
        return to_error(said, "topic " + name);
    return metadata->topics[0].partition_cnt;
}

// While no broker can be reached librdkafka waits to the end, though it may know at once that the
// password is wrong: so the first question is a short one. What is answered later than it was
// waited for is lost: each waits twice as long as the one before.
int Topics::ask(rd_kafka_topic_s* topic, const struct rd_kafka_metadata** answer) {
    const Deadline deadline = Deadline::after(timeout_);
    for (Milliseconds patience = look_every;; patience *= 2) {
        const Milliseconds span = std::min(patience, deadline.left());
        const auto failure = rd_kafka_metadata(handle_.get(), 0, topic, answer, ms(span));
        if (failure == RD_KAFKA_RESP_ERR_NO_ERROR)
            return failure;
        rd_kafka_poll(handle_.get(), 0);  // what the connections have said
        if (failure != RD_KAFKA_RESP_ERR__TRANSPORT && failure != RD_KAFKA_RESP_ERR__TIMED_OUT)
            return failure;
        if (deadline.passed() || (failure == RD_KAFKA_RESP_ERR__TRANSPORT && cause_.known()))
            return failure;
    }
}

Error Topics::why(int code, std::string_view what) {
    if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT)
        if (auto known = cause_.known())
            return std::move(*known);
    return to_error(code, what);
}

Status Topics::create(const LogOptions::Topic& topic) {
    std::array<char, 512> reason{};
    const Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy> made{rd_kafka_NewTopic_new(
        topic.name.c_str(), topic.partitions, broker_default, reason.data(), reason.size())};
    if (made == nullptr)
        return Error{ErrorCode::invalid_argument,
                     fmt::format("topic {}: {}", topic.name, reason.data())};
    if (topic.compacted)
        rd_kafka_NewTopic_set_config(made.get(), "cleanup.policy", "compact");
    // One clock for all writers: the deduplication window is of the log's time.
    rd_kafka_NewTopic_set_config(made.get(), "message.timestamp.type", "LogAppendTime");
    const Owned<rd_kafka_queue_t, rd_kafka_queue_destroy> answers{
        rd_kafka_queue_new(handle_.get())};
    std::array<rd_kafka_NewTopic_t*, 1> all{made.get()};
    rd_kafka_CreateTopics(handle_.get(), all.data(), all.size(), nullptr, answers.get());
    const Owned<rd_kafka_event_t, rd_kafka_event_destroy> event{
        rd_kafka_queue_poll(answers.get(), ms(timeout_))};
    if (event == nullptr)
        return Error{ErrorCode::timed_out, "Kafka does not answer the creation of " + topic.name};
    if (const auto failure = rd_kafka_event_error(event.get()); failure != 0)
        return to_error(failure, "creating topic " + topic.name,
                        rd_kafka_event_error_string(event.get()));
    std::size_t count = 0;
    const auto* result = rd_kafka_event_CreateTopics_result(event.get());
    const auto* const* results = rd_kafka_CreateTopics_result_topics(result, &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto failure = rd_kafka_topic_result_error(results[i]);
        // Another process was quicker.
        if (failure != RD_KAFKA_RESP_ERR_NO_ERROR &&
            failure != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            const char* said = rd_kafka_topic_result_error_string(results[i]);
            return to_error(failure, "creating topic " + topic.name,
                            said != nullptr ? said : rd_kafka_err2str(failure));
        }
    }
    return ok();
}

Result<std::size_t> Topics::max_batch_bytes(const std::stop_token& stop) {
    std::vector<Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>> asked;
    std::vector<rd_kafka_ConfigResource_t*> all;
    asked.reserve(topics_.size());
    all.reserve(topics_.size());
    for (const LogOptions::Topic& topic : topics_) {
        asked.emplace_back(
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.name.c_str()));
        all.push_back(asked.back().get());
    }
    const Owned<rd_kafka_queue_t, rd_kafka_queue_destroy> answers{
        rd_kafka_queue_new(handle_.get())};
    rd_kafka_DescribeConfigs(handle_.get(), all.data(), all.size(), nullptr, answers.get());
    Owned<rd_kafka_event_t, rd_kafka_event_destroy> event;
    const Deadline deadline = Deadline::after(timeout_);
    while (event == nullptr && !deadline.passed() && !stop.stop_requested())
        event.reset(rd_kafka_queue_poll(answers.get(), ms(look_every)));
    if (event == nullptr)
        return Error{ErrorCode::timed_out, "Kafka does not say the limits of its topics"};
    if (const auto failure = rd_kafka_event_error(event.get()); failure != 0)
        return to_error(failure, "the limits of topics", rd_kafka_event_error_string(event.get()));
    std::size_t count = 0;
    const auto* const* resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    auto smallest = std::numeric_limits<std::size_t>::max();
    for (std::size_t i = 0; i < count; ++i) {
        ADTALLY_TRY(const std::size_t limit, batch_limit_of(resources[i]));
        smallest = std::min(smallest, limit);
    }
    return smallest;
}

Result<std::vector<Watermarks>> Topics::watermarks(std::string_view name) {
    ADTALLY_TRY(const auto topic, info(name));
    std::vector<Partition> all;
    all.reserve(static_cast<std::size_t>(topic.partitions));
    for (std::int32_t i = 0; i < topic.partitions; ++i)
        all.push_back(Partition{i});
    return query_ends(handle_.get(), topic.name, all, timeout_);
}

}  // namespace adtally::eventlog::kafka
