#include "platform/eventlog/kafka/rights.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "platform/eventlog/kafka/ends.hpp"

namespace adtally::eventlog::kafka {
namespace {

// The group is asked so often, between looks at what else has come.
constexpr Milliseconds at_once{500};

using List = std::unique_ptr<rd_kafka_topic_partition_list_t,
                             decltype(&rd_kafka_topic_partition_list_destroy)>;

List first_partition(const std::string& topic, Offset at) {
    List list{rd_kafka_topic_partition_list_new(1), rd_kafka_topic_partition_list_destroy};
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), 0)->offset = at.value;
    return list;
}

bool is_refusal(int code) {
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
}

int ask_group(rd_kafka_t* handle, const std::string& topic, Milliseconds timeout) {
    const List list = first_partition(topic, Offset{});
    const auto said = rd_kafka_committed(handle, list.get(), static_cast<int>(timeout.count()));
    return said != RD_KAFKA_RESP_ERR_NO_ERROR ? said : list->elems[0].err;
}

// 0 when nothing was said.
int next_word(rd_kafka_t* handle) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(handle, 100);
    if (message == nullptr)
        return 0;
    const int said = message->err != 0 ? message->err : RD_KAFKA_RESP_ERR__PARTITION_EOF;
    rd_kafka_message_destroy(message);
    return said;
}

// False while it is not known where that is: a topic that was just made has no leader yet.
bool stand_at_the_end(rd_kafka_t* handle, const std::string& topic, Milliseconds timeout) {
    const auto ends = query_ends(handle, topic, {Partition{0}}, timeout);
    if (ends)
        rd_kafka_assign(handle, first_partition(topic, ends.value().front().end).get());
    return ends.has_value();
}

}  // namespace

Status check_rights(const ClusterSettings& cluster, const std::string& group,
                    const std::string& topic, Milliseconds timeout) {
    const auto span = std::to_string(std::max(timeout.count(), 10L));
    ADTALLY_TRY(auto conf,
                make_conf(cluster, {{"group.id", group.empty() ? "adtally-reader" : group},
                                    {"enable.auto.commit", "false"},
                                    {"enable.partition.eof", "true"},
                                    {"fetch.wait.max.ms", "10"},
                                    {"socket.timeout.ms", span}}));
    ADTALLY_TRY(const auto handle, connect(Role::consumer, std::move(conf)));
    rd_kafka_poll_set_consumer(handle.get());
    bool stands = false;
    bool reads = false;
    bool joins = group.empty();
    for (const Deadline deadline = Deadline::after(timeout); !deadline.passed();) {
        int said = 0;
        if (!stands)
            stands = stand_at_the_end(handle.get(), topic, deadline.left());
        if (!joins) {
            said = ask_group(handle.get(), topic, std::min(at_once, deadline.left()));
            joins = said == 0;
        }
        if (!is_refusal(said))
            said = next_word(handle.get());
        if (said == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED && !group.empty())
            return to_error(said, "consumer group " + group);
        if (said == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            return to_error(said, "reading " + topic);
        reads = reads || said == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (reads && joins)
            break;
    }
    return ok();
}

}  // namespace adtally::eventlog::kafka
