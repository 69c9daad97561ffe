// What every client of a Kafka cluster needs: its settings, its handle, its errors in our words.
//
// Threads. make_conf, connect and the mapping of errors may be called from anywhere.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

// librdkafka's own types, which only the .cpp files of this folder look into.
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_topic_s;

namespace adtally::eventlog::kafka {

using Properties = std::vector<std::pair<std::string, std::string>>;

struct ClusterSettings {
    // "host:port,host:port"
    std::string bootstrap;
    // Passed to librdkafka as they are (security.protocol, sasl.*, ssl.*, …); they win over ours.
    Properties properties;
    std::string client_id = "adtally";
};

struct HandleDeleter {
    void operator()(rd_kafka_s* handle) const;
};
struct ConfDeleter {
    void operator()(rd_kafka_conf_s* conf) const;
};
struct TopicDeleter {
    void operator()(rd_kafka_topic_s* topic) const;
};
using Handle = std::unique_ptr<rd_kafka_s, HandleDeleter>;
using Conf = std::unique_ptr<rd_kafka_conf_s, ConfDeleter>;
using Topic = std::unique_ptr<rd_kafka_topic_s, TopicDeleter>;

enum class Role { producer, consumer };

// `invalid_argument` names the property that librdkafka does not take.
Result<Conf> make_conf(const ClusterSettings& settings, const Properties& ours);

// A handle starts threads and connects in the background: it is there also while no broker is.
Result<Handle> connect(Role role, Conf conf);

// `what` was being done; the code is an rd_kafka_resp_err_t.
Error to_error(int code, std::string_view what);
Error to_error(int code, std::string_view what, std::string_view detail);

}  // namespace adtally::eventlog::kafka
