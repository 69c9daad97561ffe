// Where partitions begin and end: two questions for all of them, with a deadline that holds.
//
// librdkafka's rd_kafka_query_watermark_offsets asks one partition at a time, and its time-out
// bounds only the search for the leader; the answer is waited for as long as the socket lives.
#pragma once

#include <string>
#include <vector>

#include "platform/eventlog/event_log.hpp"
#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

Result<std::vector<Watermarks>> query_ends(rd_kafka_s* handle, const std::string& topic,
                                           const std::vector<Partition>& partitions,
                                           Milliseconds timeout);

}  // namespace adtally::eventlog::kafka
