// Where a key lives: the hash that Kafka's Java client uses, so that both stacks agree.
#pragma once

#include <cstdint>
#include <string_view>

namespace adtally::eventlog {

// Signed, as Java has it. Source: org.apache.kafka.common.utils.Utils.murmur2.
std::int32_t murmur2(std::string_view bytes);

}  // namespace adtally::eventlog
