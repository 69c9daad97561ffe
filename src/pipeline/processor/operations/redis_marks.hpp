// Marks of redriven letters in Redis: adtally:redriven:{origin} = "begun 1705327402123 9f3c…" or
// "done 1705327402456".
//
// Problem. A mark that dies before its letter lets the letter be counted twice, and how long
// letters live is the log's business: a day, a year. Design. Marks do not expire while a letter of
// their record is there. A sorted set for each partition of the letters' topic has the origins by
// the offset of the newest of these; what retention has passed leaves the set, and its mark gets 30
// days.
//
// Problem. Whose answer of begin() was lost does not know whether the mark that stands there now is
// its own. Design. What an object begins bears the object's own random name; it forgets that alone.
#pragma once

#include <string>

#include "pipeline/processor/operations/redrive.hpp"
#include "platform/redis/client.hpp"

namespace adtally::operations {

class RedisMarks final : public RedriveMarks {
public:
    // `topic`: where the letters are. The client must outlive it.
    RedisMarks(redis::Client& client, std::string topic);

    Result<std::optional<RedriveMark>> find(const Letter& letter) override;
    Result<bool> begin(const Letter& letter, TimestampMs now) override;
    Status finish(const Letter& letter, TimestampMs now) override;
    Status forget(const Letter& letter) override;
    Status keep(const Letter& letter) override;
    Status removed_before(Partition partition, Offset begin) override;

private:
    void queue(std::initializer_list<std::string_view> words);
    void queue_place(const Letter& letter);
    // Sends what was queued; one reply for each.
    Result<std::vector<redis::Reply>> ask();

    redis::Client& client_;
    std::string topic_;
    std::string ours_;  // stands at the end of what this one has begun
};

}  // namespace adtally::operations
