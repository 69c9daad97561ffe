#include "pipeline/processor/dead_letters.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace adtally::processor {
namespace {

// Shared with the completions: they may come after the deadline has given up on them.
struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = 0;
    std::optional<Error> failure;
};

}  // namespace

DeadLetterWriter::DeadLetterWriter(eventlog::Producer& producer, std::string source_topic,
                                   std::string dead_letter_topic, Milliseconds deadline)
    : producer_(producer),
      source_topic_(std::move(source_topic)),
      dead_letter_topic_(std::move(dead_letter_topic)),
      deadline_(deadline) {}

Status DeadLetterWriter::write(Partition partition, std::span<const DeadLetter> letters) {
    auto waiting = std::make_shared<Waiting>();
    waiting->left = letters.size();
    for (const DeadLetter& letter : letters) {
        eventlog::RecordBatch batch;
        batch.add(letter.key, letter.value);
        namespace names = dead_letter_headers;
        batch.add_header(names::topic, source_topic_);
        batch.add_header(names::partition, std::to_string(partition.value));
        batch.add_header(names::offset, std::to_string(letter.offset.value));
        batch.add_header(names::timestamp, std::to_string(letter.appended_at.value));
        batch.add_header(names::reason, letter.reason);
        batch.add_header(names::message, letter.message);
        producer_.append(dead_letter_topic_, std::move(batch), [waiting](Status status) {
            std::lock_guard lock(waiting->mutex);
            if (!status)
                waiting->failure = status.error();
            waiting->left -= 1;
            waiting->changed.notify_all();
        });
    }
    std::unique_lock lock(waiting->mutex);
    bool all = waiting->changed.wait_until(lock, Deadline::after(deadline_).at(),
                                           [&] { return waiting->left == 0; });
    if (waiting->failure)
        return *waiting->failure;
    if (!all)
        return Error{ErrorCode::timed_out, "the log did not take the dead letters in time"};
    return ok();
}

}  // namespace adtally::processor
