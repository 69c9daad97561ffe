// Whether the user of this connection may read a topic and be of a group, asked before it is done.
//
// Problem. Kafka refuses a reader in passing: librdkafka says so once, among what else comes, and
// goes on trying in silence. A reader without rights looks like one that has nothing to read.
//
// Design. A connection of its own stands at the end of the first partition, until it is told that
// it is there, and asks for the group's positions. Not by librdkafka's admin calls: one whose
// coordinator is cut off ends the process (2.0.2; its issue 4605).
#pragma once

#include <string>

#include "base/clock.hpp"
#include "platform/eventlog/kafka/client.hpp"

namespace adtally::eventlog::kafka {

// Fails only when the cluster refuses: an answer that does not come in time is for the reading
// itself to report. An empty group is not asked for.
Status check_rights(const ClusterSettings& cluster, const std::string& group,
                    const std::string& topic, Milliseconds timeout);

}  // namespace adtally::eventlog::kafka
