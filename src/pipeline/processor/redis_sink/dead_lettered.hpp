// Where the dead letters stood, as the flush script records it beside the offset.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "base/strong.hpp"
#include "pipeline/processor/ports.hpp"
#include "platform/redis/client.hpp"

namespace adtally::redis_sink {

// From `from` on. `corrupt` when the key holds something else.
Result<processor::OffsetRanges> read_dead_lettered(redis::Client& client, std::string_view topic,
                                                   Partition partition, Offset from);

}  // namespace adtally::redis_sink
