#include "platform/eventlog/kafka/ends.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <memory>

namespace adtally::eventlog::kafka {
namespace {

// The times -2 and -1 of the protocol's ListOffsets mean the first and the next offset.
Result<std::vector<Offset>> ask(rd_kafka_t* handle, const std::string& topic,
                                const std::vector<Partition>& partitions, std::int64_t time,
                                Milliseconds timeout) {
    using List = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                 decltype(&rd_kafka_topic_partition_list_destroy)>;
    const List list{rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())),
                    rd_kafka_topic_partition_list_destroy};
    for (const Partition partition : partitions)
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition.value)->offset =
            time;
    const auto failure =
        rd_kafka_offsets_for_times(handle, list.get(), static_cast<int>(timeout.count()));
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        return to_error(failure, "the ends of " + topic);
    std::vector<Offset> offsets;
    offsets.reserve(partitions.size());
    for (const Partition partition : partitions) {
        const auto* said =
            rd_kafka_topic_partition_list_find(list.get(), topic.c_str(), partition.value);
        if (said->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return to_error(said->err, fmt::format("the ends of {}/{}", topic, partition.value));
        offsets.push_back(Offset{said->offset});
    }
    return offsets;
}

}  // namespace

Result<std::vector<Watermarks>> query_ends(rd_kafka_s* handle, const std::string& topic,
                                           const std::vector<Partition>& partitions,
                                           Milliseconds timeout) {
    ADTALLY_TRY(const auto begins,
                ask(handle, topic, partitions, RD_KAFKA_OFFSET_BEGINNING, timeout));
    ADTALLY_TRY(const auto ends, ask(handle, topic, partitions, RD_KAFKA_OFFSET_END, timeout));
    std::vector<Watermarks> found;
    found.reserve(partitions.size());
    for (std::size_t i = 0; i < partitions.size(); ++i)
        found.push_back({begins[i], ends[i]});
    return found;
}

}  // namespace adtally::eventlog::kafka
