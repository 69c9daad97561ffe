// The keys of the store; rocksdb_store.hpp has the table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/strong.hpp"
#include "platform/eventlog/bytes.hpp"

namespace adtally::eventlog {

inline std::string topic_key(std::uint16_t topic_id, char kind) {
    std::string key;
    append_be(key, topic_id);
    key.push_back(kind);
    return key;
}

inline std::string partition_key(std::uint16_t topic_id, char kind, Partition partition) {
    std::string key = topic_key(topic_id, kind);
    append_be(key, static_cast<std::uint32_t>(partition.value));
    return key;
}

inline std::string format_key() {
    return topic_key(0, 'v');
}

inline std::string catalogue_key(std::string_view topic) {
    return topic_key(0, 't').append(topic);
}

inline std::string ends_key(std::uint16_t topic_id) {
    return topic_key(topic_id, 'e');
}

inline std::string begin_key(std::uint16_t topic_id, Partition partition) {
    return partition_key(topic_id, 'b', partition);
}

inline std::string block_key(std::uint16_t topic_id, Partition partition, Offset base) {
    std::string key = partition_key(topic_id, 'r', partition);
    append_be(key, static_cast<std::uint64_t>(base.value));
    return key;
}

}  // namespace adtally::eventlog
