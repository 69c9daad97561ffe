#include "pipeline/processor/operations/redrive.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "domain/codec.hpp"

namespace adtally::operations {

Redriver::Redriver(LetterBox& box, eventlog::Producer& producer, RedriveMarks& marks,
                   const Clock& clock, RedriveOptions options)
    : box_(box), producer_(producer), marks_(marks), clock_(clock), options_(std::move(options)) {}

Result<RedriveReport> Redriver::page(const LetterFilter& filter, Position first, std::size_t limit,
                                     Wish wish, std::optional<Ends> ends) {
    if (!ends && !wish.dry_run) {
        ADTALLY_TRY(age_marks());
    }
    ADTALLY_TRY(auto page, box_.list(filter, first, limit, std::move(ends)));
    ADTALLY_TRY(auto report, redrive(std::move(page.letters), wish));
    report.next = page.next;
    report.ends = std::move(page.ends);
    return report;
}

Result<RedriveReport> Redriver::one(Position position, Wish wish) {
    ADTALLY_TRY(auto letter, box_.find(position));
    if (letter.cut())
        return Error{
            ErrorCode::conflict,
            fmt::format("letter {} holds only a part of its record, which has {} bytes and "
                        "was above the log's limit; the whole stands at {}/{} as long as "
                        "retention keeps it: append what is right to {} yourself",
                        to_string(position), *letter.original_value_bytes, letter.origin_topic,
                        to_string(letter.origin), options_.topic)};
    std::vector<Letter> letters;
    letters.push_back(std::move(letter));
    return redrive(std::move(letters), wish);
}

Status Redriver::age_marks() {
    ADTALLY_TRY(const auto begins, box_.begins());
    for (std::size_t i = 0; i < begins.size(); ++i) {
        ADTALLY_TRY(marks_.removed_before(Partition{static_cast<std::int32_t>(i)}, begins[i]));
    }
    return ok();
}

Result<RedriveReport> Redriver::redrive(std::vector<Letter> letters, Wish wish) {
    RedriveReport report;
    std::vector<Due> due;
    std::set<std::string> seen;  // copies of one letter in one page
    for (Letter& letter : letters) {
        ADTALLY_TRY(const Verdict verdict, judge(letter, wish));
        const bool copy = verdict != Verdict::cut && !seen.insert(letter.origin_id()).second;
        if (verdict == Verdict::cut) {
            ++report.cut;
        } else if (verdict == Verdict::uncertain) {
            ++report.uncertain;
        } else if (verdict == Verdict::already || copy) {
            ++report.already;
            if (!wish.dry_run) {
                ADTALLY_TRY(marks_.keep(letter));
            }
        } else {
            due.push_back({std::move(letter), verdict == Verdict::send_again});
        }
    }
    if (wish.dry_run)
        report.redriven = static_cast<std::int64_t>(due.size());
    else
        send(due, wish, report);
    return report;
}

Result<Redriver::Verdict> Redriver::judge(const Letter& letter, Wish wish) {
    if (letter.cut())
        return Verdict::cut;
    ADTALLY_TRY(const auto mark, marks_.find(letter));
    if (!mark)
        return Verdict::send_first;
    if (mark->done)
        return Verdict::already;
    const Milliseconds ago{clock_.wall().value - mark->at.value};
    return wish.force || ago <= options_.dedup_window / 2 ? Verdict::send_again
                                                          : Verdict::uncertain;
}

// Marks it, if it is to be sent for the first time and nobody else was faster.
Result<Redriver::Verdict> Redriver::begin(Due& due, Wish wish) {
    if (due.again)
        return Verdict::send_again;
    ADTALLY_TRY(const bool mine, marks_.begin(due.letter, clock_.wall()));
    if (mine)
        return Verdict::send_first;
    ADTALLY_TRY(const Verdict verdict, judge(due.letter, wish));
    due.again = true;
    return verdict;
}

// Each is marked right before it is appended: when the store fails in the middle, the others stay
// as they were.
void Redriver::send(std::vector<Due>& due, Wish wish, RedriveReport& report) {
    std::vector<Sent> sent;
    sent.reserve(due.size());
    for (std::size_t i = 0; i < due.size(); ++i) {
        const auto verdict = begin(due[i], wish);
        if (!verdict) {
            report.failed += static_cast<std::int64_t>(due.size() - i);
            report.error = verdict.error().message;
            // It may have been marked though no answer came.
            if (!due[i].again)
                (void)marks_.forget(due[i].letter);
            break;
        }
        if (verdict.value() == Verdict::already)
            ++report.already;
        else if (verdict.value() == Verdict::uncertain)
            ++report.uncertain;
        else
            sent.push_back({&due[i], append(due[i].letter)});
    }
    settle(sent, report);
}

std::future<Status> Redriver::append(const Letter& letter) {
    eventlog::RecordBatch batch;
    batch.add(letter.key, letter.value);
    batch.add_header(redriven_from_header,
                     fmt::format("{}/{}", box_.topic(), to_string(letter.position)));
    batch.add_header("content-type", "application/json");
    std::promise<Status> answer;
    std::future<Status> later = answer.get_future();
    producer_.append(options_.topic, std::move(batch),
                     [answer = std::move(answer)](Status status) mutable {
                         answer.set_value(std::move(status));
                     });
    return later;
}

void Redriver::settle(std::vector<Sent>& sent, RedriveReport& report) {
    const Deadline deadline = Deadline::after(options_.deadline);
    for (auto& [due, answer] : sent) {
        Status status = Error{ErrorCode::timed_out, "the log did not take it in time"};
        if (answer.wait_until(deadline.at()) == std::future_status::ready)
            status = answer.get();
        if (status) {
            ++report.redriven;
            // Without the mark it stays "begun": said as uncertain later, never sent in silence.
            (void)marks_.finish(due->letter, clock_.wall());
            continue;
        }
        ++report.failed;
        if (report.error.empty())
            report.error = status.error().message;
        // Timed out it may be there all the same: then its fate stays open.
        if (!due->again && status.error().code != ErrorCode::timed_out)
            (void)marks_.forget(due->letter);
    }
}

std::string to_json(const RedriveReport& report) {
    std::string json =
        fmt::format(R"({{"redriven":{},"already":{},"uncertain":{},"cut":{},"failed":{},"error":)",
                    report.redriven, report.already, report.uncertain, report.cut, report.failed);
    domain::append_json_string(report.error, json);
    json += fmt::format(R"(,"next":{},"ends":{}}})",
                        report.next ? '"' + to_string(*report.next) + '"' : "null",
                        report.ends ? '"' + to_string(*report.ends) + '"' : "null");
    return json;
}

}  // namespace adtally::operations
