// Where a consumer stands in each of its partitions, what waits there to be taken, and what keeps
// it from being read.
//
// Design. A failure stays with its partition until somebody seeks it, or a record comes after all.
// It is told once before anything else is fetched, and then whenever nothing else came: none is
// lost, and none keeps the other partitions from being read.
//
// Threads. One: the consumer's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "platform/eventlog/event_log.hpp"

struct rd_kafka_message_s;

namespace adtally::eventlog::kafka {

struct MessageDeleter {
    void operator()(rd_kafka_message_s* message) const;
};
using Message = std::unique_ptr<rd_kafka_message_s, MessageDeleter>;

struct Cursor {
    bool sought = false;
    // librdkafka reads on from here. What comes before it does is of an earlier position.
    bool applied = false;
    // Since then a second reader has seen that offsets without records are here.
    bool has_holes = false;
    Offset next;  // to be fetched
    std::deque<Message> waiting;
    std::optional<Error> failure;
    bool told = false;
    Deadline again{SteadyTime{}};  // when what failed is tried once more

    void fail(Error error);
    bool due_again() const { return failure && sought && !applied && again.passed(); }
    void seek(Offset to);
};

class Cursors {
public:
    void give(Partition partition) { cursors_.emplace(partition, Cursor{}); }
    Cursor* find(Partition partition);
    // Those that were there.
    std::vector<Partition> clear();
    // Records of the next partition in turn that has some.
    bool take(FetchedBatch& batch, std::size_t max_records);
    // The next in turn whose failure was not told yet; none of those, and `again`, one that was.
    std::pair<const Partition, Cursor>* failed(bool again);

    auto begin() { return cursors_.begin(); }
    auto end() { return cursors_.end(); }
    std::size_t size() const { return cursors_.size(); }

private:
    template <class Condition>
    std::pair<const Partition, Cursor>* next_that(Partition after, const Condition& condition);

    std::map<Partition, Cursor> cursors_;
    Partition turn_{};
    Partition told_{};
};

}  // namespace adtally::eventlog::kafka
