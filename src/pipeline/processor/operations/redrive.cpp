#include "pipeline/processor/operations/redrive.hpp"

#include <fmt/format.h>

#include <future>
#include <set>
#include <utility>

#include "domain/codec.hpp"

namespace adtally::operations {

Redriver::Redriver(LetterBox& box, eventlog::Producer& producer, RedriveMarks& marks,
                   const Clock& clock, RedriveOptions options)
    : box_(box), producer_(producer), marks_(marks), clock_(clock), options_(std::move(options)) {}

Result<RedriveReport> Redriver::page(const LetterFilter& filter, Position first, std::size_t limit,
                                     Wish wish, std::optional<Ends> ends) {
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

Result<RedriveReport> Redriver::redrive(std::vector<Letter> letters, Wish wish) {
    RedriveReport report;
    std::vector<Due> due;
    std::set<std::string> seen;  // copies of one letter in one page
    for (Letter& letter : letters) {
        ADTALLY_TRY(const Verdict verdict, judge(letter, wish));
        if (verdict == Verdict::cut)
            ++report.cut;
        else if (verdict == Verdict::uncertain)
            ++report.uncertain;
        else if (verdict == Verdict::already || !seen.insert(letter.origin_id()).second)
            ++report.already;
        else
            due.push_back({std::move(letter), verdict == Verdict::send_again});
    }
    if (wish.dry_run)
        report.redriven = static_cast<std::int64_t>(due.size());
    else
        send(due, report);
    return report;
}

Result<Redriver::Verdict> Redriver::judge(const Letter& letter, Wish wish) {
    if (letter.cut())
        return Verdict::cut;
    const std::string origin = letter.origin_id();
    ADTALLY_TRY(auto mark, marks_.find(origin));
    if (!mark && !wish.dry_run) {
        ADTALLY_TRY(const bool mine, marks_.begin(origin, clock_.wall()));
        if (mine)
            return Verdict::send_first;
        ADTALLY_TRY(auto other, marks_.find(origin));
        mark = other;
    }
    if (!mark)
        return Verdict::send_first;
    if (mark->done)
        return Verdict::already;
    const Milliseconds ago{clock_.wall().value - mark->at.value};
    return wish.force || ago <= options_.dedup_window / 2 ? Verdict::send_again
                                                          : Verdict::uncertain;
}

void Redriver::send(const std::vector<Due>& due, RedriveReport& report) {
    std::vector<std::future<Status>> answers;
    for (const auto& [letter, again] : due) {
        eventlog::RecordBatch batch;
        batch.add(letter.key, letter.value);
        batch.add_header(redriven_from_header,
                         fmt::format("{}/{}", box_.topic(), to_string(letter.position)));
        std::promise<Status> answer;
        answers.push_back(answer.get_future());
        producer_.append(options_.topic, std::move(batch),
                         [answer = std::move(answer)](Status status) mutable {
                             answer.set_value(std::move(status));
                         });
    }
    const Deadline deadline = Deadline::after(options_.deadline);
    for (std::size_t i = 0; i < due.size(); ++i) {
        Status status = Error{ErrorCode::timed_out, "the log did not take it in time"};
        if (answers[i].wait_until(deadline.at()) == std::future_status::ready)
            status = answers[i].get();
        const std::string origin = due[i].letter.origin_id();
        if (status) {
            ++report.redriven;
            // Without the mark it stays "begun": said as uncertain later, never sent in silence.
            (void)marks_.finish(origin, clock_.wall());
            continue;
        }
        ++report.failed;
        if (report.error.empty())
            report.error = status.error().message;
        // Timed out it may be there all the same: then its fate stays open.
        if (!due[i].again && status.error().code != ErrorCode::timed_out)
            (void)marks_.forget(origin);
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
