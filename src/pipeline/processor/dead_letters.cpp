#include "pipeline/processor/dead_letters.hpp"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.hpp"

namespace adtally::processor {
namespace {

// Shared with the completions: they may come after the deadline has given up on them.
struct Waiting {
    explicit Waiting(std::size_t letters) : left(letters), outcomes(letters) {}
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left;
    std::vector<std::optional<Status>> outcomes;
};

// At most so many bytes of it, and no half of a character of UTF-8.
std::string_view cut(std::string_view text, std::size_t most) {
    if (text.size() <= most)
        return text;
    const auto continues = [&](std::size_t at) { return (text[at] & '\xc0') == '\x80'; };
    std::size_t end = most;
    for (int i = 0; i < 3 && end > 0 && continues(end); ++i)
        --end;
    return text.substr(0, end);
}

std::span<const DeadLetter> first_chunk(std::span<const DeadLetter> letters,
                                        std::size_t most_bytes) {
    std::size_t bytes = 0;
    std::size_t count = 0;
    while (count < std::min(letters.size(), dead_letter_chunk)) {
        const std::size_t next = letters[count].key.size() + letters[count].value.size();
        bytes += std::min(next, most_bytes) + dead_letter_header_room;
        if (count > 0 && bytes > dead_letter_chunk_bytes)
            break;
        ++count;
    }
    return letters.first(count);
}

}  // namespace

DeadLetterWriter::DeadLetterWriter(eventlog::Producer& producer, std::string source_topic,
                                   std::string dead_letter_topic, Milliseconds deadline)
    : producer_(producer),
      source_topic_(std::move(source_topic)),
      dead_letter_topic_(std::move(dead_letter_topic)),
      deadline_(deadline) {}

Result<std::size_t> DeadLetterWriter::write_some(Partition partition,
                                                 std::span<const DeadLetter> letters) {
    ADTALLY_ASSERT(!letters.empty());
    const std::size_t limit = producer_.max_record_bytes();
    const std::size_t most_bytes = limit - std::min(dead_letter_header_room, limit / 2);
    auto written = append(partition, first_chunk(letters, most_bytes), most_bytes);
    if (written || written.error().code != ErrorCode::too_large)
        return written;
    // The limit has become smaller meanwhile. The same would be refused for ever: its place and
    // its reason are what a letter cannot be without.
    return append(partition, letters.first(1), 0);
}

eventlog::RecordBatch DeadLetterWriter::record_of(Partition partition, const DeadLetter& letter,
                                                  std::size_t most_bytes) const {
    namespace names = dead_letter_headers;
    const std::string_view key = cut(letter.key, most_bytes);
    const std::string_view value = cut(letter.value, most_bytes - key.size());
    eventlog::RecordBatch batch;
    batch.add(key, value);
    batch.add_header(names::topic, source_topic_);
    batch.add_header(names::partition, std::to_string(partition.value));
    batch.add_header(names::offset, std::to_string(letter.offset.value));
    batch.add_header(names::timestamp, std::to_string(letter.appended_at.value));
    batch.add_header(names::reason, letter.reason);
    batch.add_header(names::message, letter.message);
    if (key.size() < letter.key.size() || value.size() < letter.value.size()) {
        batch.add_header(names::value_bytes, std::to_string(letter.value.size()));
        batch.add_header(names::key_bytes, std::to_string(letter.key.size()));
    }
    return batch;
}

Result<std::size_t> DeadLetterWriter::append(Partition partition, std::span<const DeadLetter> chunk,
                                             std::size_t most_bytes) {
    auto waiting = std::make_shared<Waiting>(chunk.size());
    for (std::size_t i = 0; i < chunk.size(); ++i)
        producer_.append(dead_letter_topic_, record_of(partition, chunk[i], most_bytes),
                         [waiting, i](Status status) {
                             std::lock_guard lock(waiting->mutex);
                             waiting->outcomes[i] = std::move(status);
                             waiting->left -= 1;
                             waiting->changed.notify_all();
                         });
    std::unique_lock lock(waiting->mutex);
    waiting->changed.wait_until(lock, Deadline::after(deadline_).at(),
                                [&] { return waiting->left == 0; });
    std::size_t written = 0;
    while (written < chunk.size() && waiting->outcomes[written] && *waiting->outcomes[written])
        ++written;
    if (written > 0)
        return written;
    if (waiting->outcomes[0])
        return waiting->outcomes[0]->error();
    return Error{ErrorCode::timed_out, "the log did not take the dead letters in time"};
}

}  // namespace adtally::processor
