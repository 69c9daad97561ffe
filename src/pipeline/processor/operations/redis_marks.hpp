// Marks of redriven letters in Redis: adtally:redriven:{origin} = "begun 1705327402123" or "done
// …".
#pragma once

#include "pipeline/processor/operations/redrive.hpp"
#include "platform/redis/client.hpp"

namespace adtally::operations {

class RedisMarks final : public RedriveMarks {
public:
    // The client must outlive it.
    explicit RedisMarks(redis::Client& client) : client_(client) {}

    Result<std::optional<RedriveMark>> find(const std::string& origin) override;
    Result<bool> begin(const std::string& origin, TimestampMs now) override;
    Status finish(const std::string& origin, TimestampMs now) override;
    Status forget(const std::string& origin) override;

private:
    Result<redis::Reply> ask(std::initializer_list<std::string_view> words);

    redis::Client& client_;
};

}  // namespace adtally::operations
