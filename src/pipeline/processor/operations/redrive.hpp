// Sends dead letters to ad-events again, as they were: once what made them fail has been mended.
//
// Problem. An operator repeats a command, two do the same at once, a process dies in the middle:
// a letter must not be counted twice for that. Deduplication only helps within its window.
// Design. Each letter is marked in the store by the place of its original record, right before it
// is appended ("begun") and after the append is durable ("done"). Done is never sent again. Begun
// and not done, its fate is not known: within half the deduplication window it is sent again,
// because the processor would count only one; later it is reported as uncertain and sent only by
// `force`. Promise. A redriven event keeps its bytes, so its id; a header says which letter it was.
// What is still wrong with it makes a new letter of it. Limits. A call handles one page. A letter
// that was cut is none that could be sent: what is left of it is not what was appended. Marks live
// 30 days longer than letters.
#pragma once

#include <future>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "pipeline/processor/operations/letter_box.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::operations {

struct RedriveMark {
    bool done = false;
    TimestampMs at;
};

// Where the marks are; in Redis (redis_marks.hpp).
class RedriveMarks {
public:
    virtual ~RedriveMarks() = default;
    virtual Result<std::optional<RedriveMark>> find(const Letter& letter) = 0;
    // False when it is marked already: somebody else was faster.
    virtual Result<bool> begin(const Letter& letter, TimestampMs now) = 0;
    virtual Status finish(const Letter& letter, TimestampMs now) = 0;
    // Takes back what this object has begun, if it was; a mark that is done, or another's, stays.
    virtual Status forget(const Letter& letter) = 0;
    // A mark lives as long as the letters of its record, at least as long as this one.
    virtual Status keep(const Letter& letter) = 0;
    // Retention has removed the letters before `begin`: their marks may go some time later.
    virtual Status removed_before(Partition partition, Offset begin) = 0;
};

inline constexpr const char* redriven_from_header = "adtally-redriven-from";

struct RedriveOptions {
    std::string topic;  // where they go
    Milliseconds dedup_window{};
    Milliseconds deadline{10'000};  // of a page's appends
};

struct RedriveReport {
    std::int64_t redriven = 0;
    std::int64_t already = 0;    // were redriven before
    std::int64_t uncertain = 0;  // an earlier attempt's fate is unknown: see `force`
    std::int64_t cut = 0;        // hold only a part of their record: never sent
    std::int64_t failed = 0;
    std::string error;             // of the first that failed
    std::optional<Position> next;  // where to go on; none at the end
    std::optional<Ends> ends;      // for the next page: no letter that this one caused
};

class Redriver {
public:
    Redriver(LetterBox& box, eventlog::Producer& producer, RedriveMarks& marks, const Clock& clock,
             RedriveOptions options);

    struct Wish {
        bool dry_run = false;  // only says what would be done
        bool force = false;    // also the uncertain ones
    };
    Result<RedriveReport> page(const LetterFilter& filter, Position first, std::size_t limit,
                               Wish wish, std::optional<Ends> ends = {});
    // `conflict` when it is one that was cut.
    Result<RedriveReport> one(Position position, Wish wish);

private:
    enum class Verdict : std::uint8_t { send_first, send_again, already, uncertain, cut };
    struct Due {
        Letter letter;
        bool again;  // an earlier attempt may have arrived
    };

    struct Sent {
        const Due* due;
        std::future<Status> answer;
    };

    Status age_marks();
    Result<RedriveReport> redrive(std::vector<Letter> letters, Wish wish);
    Result<Verdict> judge(const Letter& letter, Wish wish);
    Result<Verdict> begin(Due& due, Wish wish);
    void send(std::vector<Due>& due, Wish wish, RedriveReport& report);
    std::future<Status> append(const Letter& letter);
    void settle(std::vector<Sent>& sent, RedriveReport& report);

    LetterBox& box_;
    eventlog::Producer& producer_;
    RedriveMarks& marks_;
    const Clock& clock_;
    RedriveOptions options_;
};

std::string to_json(const RedriveReport& report);

}  // namespace adtally::operations
