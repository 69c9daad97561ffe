#include "platform/eventlog/kafka/client.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>

namespace adtally::eventlog::kafka {
namespace {

Status set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
    std::array<char, 512> reason{};
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) ==
        RD_KAFKA_CONF_OK)
        return ok();
    return Error{ErrorCode::invalid_argument,
                 fmt::format("Kafka setting {}: {}", name, reason.data())};
}

ErrorCode code_of(rd_kafka_resp_err_t code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return ErrorCode::too_large;
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return ErrorCode::overloaded;
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        // It may have been written by the time it was given up; also what waits in the queue may
        // wait for its second try.
        case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
        case RD_KAFKA_RESP_ERR__FATAL:
            return ErrorCode::timed_out;
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return ErrorCode::not_found;
        case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
            return ErrorCode::storage_full;
        case RD_KAFKA_RESP_ERR__BAD_MSG:
        case RD_KAFKA_RESP_ERR_INVALID_MSG:
            return ErrorCode::corrupt;
        default:
            return ErrorCode::unavailable;
    }
}

// What can be done about it, for the errors that people meet.
std::string_view remedy_of(rd_kafka_resp_err_t code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
            return "is Kafka running at the address of --kafka?";
        case RD_KAFKA_RESP_ERR__RESOLVE:
            return "check the host name in --kafka";
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
            return "check sasl.username, sasl.password and sasl.mechanism in kafka.properties";
        case RD_KAFKA_RESP_ERR__SSL:
            return "check security.protocol and ssl.* in kafka.properties";
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return "the user needs rights: READ, WRITE and DESCRIBE on the ad-* topics, READ on "
                   "the consumer group, IDEMPOTENT_WRITE on the cluster (and DESCRIBE_CONFIGS on "
                   "the "
                   "topics, if they take smaller batches than brokers do by default)";
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            return "another process has the same kafka.instance: give each its own";
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            return "create the topic, or set kafka.create-topics";
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
            return "no broker has the partition: is one away, or its disk full?";
        case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
            return "the broker cannot write: is its disk full?";
        default:
            return {};
    }
}

}  // namespace

void HandleDeleter::operator()(rd_kafka_s* handle) const {
    rd_kafka_destroy(handle);
}
void ConfDeleter::operator()(rd_kafka_conf_s* conf) const {
    rd_kafka_conf_destroy(conf);
}
void TopicDeleter::operator()(rd_kafka_topic_s* topic) const {
    rd_kafka_topic_destroy(topic);
}

Result<Conf> make_conf(const ClusterSettings& settings, const Properties& ours) {
    Conf conf{rd_kafka_conf_new()};
    ADTALLY_TRY(set(conf.get(), "bootstrap.servers", settings.bootstrap));
    ADTALLY_TRY(set(conf.get(), "client.id", settings.client_id));
    // Off, an acknowledgement waits for the next request (PITFALLS of librdkafka 2.0).
    ADTALLY_TRY(set(conf.get(), "socket.nagle.disable", "true"));
    ADTALLY_TRY(set(conf.get(), "reconnect.backoff.max.ms", "1000"));
    // What its log says of errors comes through their callback, for our log.
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);
    for (const auto& [name, value] : ours) {
        ADTALLY_TRY(set(conf.get(), name, value));
    }
    for (const auto& [name, value] : settings.properties) {
        ADTALLY_TRY(set(conf.get(), name, value));
    }
    return conf;
}

Result<Handle> connect(Role role, Conf conf) {
    std::array<char, 512> reason{};
    rd_kafka_t* handle =
        rd_kafka_new(role == Role::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(),
                     reason.data(), reason.size());
    if (handle == nullptr)
        return Error{ErrorCode::invalid_argument,
                     fmt::format("Kafka settings are refused: {}", reason.data())};
    (void)conf.release();  // the handle's now
    return Handle{handle};
}

Error to_error(int code, std::string_view what) {
    return to_error(code, what, rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code)));
}

Error to_error(int code, std::string_view what, std::string_view detail) {
    const auto known = static_cast<rd_kafka_resp_err_t>(code);
    const std::string_view remedy = remedy_of(known);
    return {code_of(known), fmt::format("{}: {} ({}){}{}", what, detail, rd_kafka_err2name(known),
                                        remedy.empty() ? "" : "; ", remedy)};
}

}  // namespace adtally::eventlog::kafka
