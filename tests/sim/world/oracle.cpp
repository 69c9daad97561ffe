#include "sim/world/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace adtally::sim {
namespace {

// What the log says should be counted.
struct Reading {
    RedisState state;
    std::vector<int> counted;   // by sending
    std::vector<bool> written;  // likewise
};

// A record is a duplicate of one that is not older than this.
std::int64_t since(const Record& record, std::int64_t window_ms) {
    constexpr std::int64_t oldest_spool_ms = 24LL * 3600 * 1000;
    const std::int64_t at = record.appended_at.value;
    const std::int64_t waited = at - record.received_at.value;
    const bool late = waited > late_after_ms(window_ms) && waited <= oldest_spool_ms;
    return late ? record.received_at.value - window_ms : at - remembered_ms(window_ms);
}

Reading read(Setting& setting, const Intake& intake, const LogModel& log) {
    const std::int64_t window = setting.profile.processor.dedup_window.count();
    Reading reading;
    reading.counted.resize(intake.sendings().size());
    reading.written.resize(intake.sendings().size());
    for (std::int32_t p = 0; p < log.partitions(); ++p) {
        processor::Books& books = reading.state.books[static_cast<std::size_t>(p)];
        std::map<std::pair<domain::EventType, std::string>, std::int64_t> seen;
        for (const Record& record : log.records(p)) {
            if (record.sending < 0) {
                books.dead_lettered += 1;
                continue;
            }
            const auto number = static_cast<std::size_t>(record.sending);
            reading.written[number] = true;
            const Sending& event = intake.sendings()[number];
            const std::int64_t at = record.appended_at.value;
            const auto [entry, fresh] = seen.try_emplace({event.type, event.id}, at);
            const std::int64_t before = std::exchange(entry->second, at);
            const std::int64_t reaches_to = since(record, window);
            if (reaches_to < at - remembered_ms(window))
                setting.faults.saw(Fault::late_record);
            if (!fresh && before >= reaches_to) {
                if (before < at - remembered_ms(window))
                    setting.faults.saw(Fault::late_double);
                books.duplicates += 1;
                continue;
            }
            books.counted += 1;
            reading.counted[number] += 1;
            const auto cost = domain::to_nanos(domain::Micros{event.cost_micros});
            auto& ad = reading.state.ads.at(static_cast<std::size_t>(event.ad));
            auto& campaign = reading.state.campaign.at(static_cast<std::size_t>(event.campaign));
            ad.add(event.type, cost, domain::Nanos{});
            campaign.add(event.type, cost, domain::Nanos{});
        }
        if (log.end(p) > 0)
            reading.state.offsets[static_cast<std::size_t>(p)] = log.end(p);
    }
    return reading;
}

class Findings {
public:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        text_ += fmt::format(format, std::forward<Args>(args)...);
        text_ += '\n';
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

std::string text_of(const domain::MetricDelta& totals) {
    return fmt::format("{} impressions, {} clicks, {} conversions, cost {}", totals.impressions,
                       totals.clicks, totals.conversions, totals.cost.value);
}

std::string text_of(const processor::Books& books) {
    return fmt::format("{} counted, {} duplicates, {} dead letters, {} expired", books.counted,
                       books.duplicates, books.dead_lettered, books.expired);
}

template <std::size_t n>
void compare_totals(const char* what, const std::array<domain::MetricDelta, n>& expected,
                    const std::array<domain::MetricDelta, n>& found, Findings& findings) {
    for (std::size_t id = 0; id < n; ++id)
        if (expected[id] != found[id])
            findings.add("{} {}: expected {}; found {}", what, id, text_of(expected[id]),
                         text_of(found[id]));
}

void compare_sendings(const Intake& intake, const Reading& reading, Findings& findings) {
    for (std::size_t i = 0; i < intake.sendings().size(); ++i) {
        const Sending& sending = intake.sendings()[i];
        if (sending.acknowledged && !reading.written[i])
            findings.add("event {} ({}): acknowledged; expected in the log; found nowhere", i,
                         sending.id);
        const int counted = reading.counted[i];
        if (sending.at_edge || (sending.acknowledged ? counted == 1 : counted <= 1))
            continue;
        findings.add("event {} ({} {}, {}): expected {}; by the log it counts {} times", i,
                     domain::to_string(sending.type), sending.id,
                     sending.acknowledged ? "acknowledged" : "never acknowledged",
                     sending.acknowledged ? "exactly once" : "at most once", counted);
    }
}

// At least once each, and nothing else.
void compare_letters(const LogModel& log, Findings& findings) {
    std::set<std::pair<std::int32_t, std::int64_t>> written;
    for (const Letter& letter : log.letters) {
        const bool there = letter.partition >= 0 && letter.partition < log.partitions() &&
                           letter.offset >= 0 && letter.offset < log.end(letter.partition);
        const Record* record =
            there ? &log.records(letter.partition)[static_cast<std::size_t>(letter.offset)]
                  : nullptr;
        if (record == nullptr || record->sending >= 0 || record->value != letter.value)
            findings.add("dead letter of {}/{}: expected none of that; found one", letter.partition,
                         letter.offset);
        written.emplace(letter.partition, letter.offset);
    }
    for (std::int32_t p = 0; p < log.partitions(); ++p)
        for (std::int64_t offset = 0; offset < log.end(p); ++offset)
            if (log.records(p)[static_cast<std::size_t>(offset)].sending < 0 &&
                !written.contains({p, offset}))
                findings.add("poison at {}/{}: expected a dead letter; found none", p, offset);
}

}  // namespace

std::string differences(Setting& setting, const Intake& intake, const LogModel& log,
                        const RedisState& found) {
    const Reading expected = read(setting, intake, log);
    Findings findings;
    compare_sendings(intake, expected, findings);
    for (std::size_t p = 0; p < most_partitions; ++p) {
        if (expected.state.offsets[p] != found.offsets[p])
            findings.add("partition {}: expected to be counted up to {}; found {}", p,
                         expected.state.offsets[p].value_or(-1), found.offsets[p].value_or(-1));
        if (expected.state.books[p] != found.books[p])
            findings.add("partition {}: expected {}; found {}", p, text_of(expected.state.books[p]),
                         text_of(found.books[p]));
        if (found.books[p].total() != found.offsets[p].value_or(0))
            findings.add("partition {}: expected books that add up to {}; found {}", p,
                         found.offsets[p].value_or(0), found.books[p].total());
    }
    compare_totals("ad", expected.state.ads, found.ads, findings);
    compare_totals("campaign", expected.state.campaign, found.campaign, findings);
    compare_letters(log, findings);
    return findings.take();
}

}  // namespace adtally::sim
