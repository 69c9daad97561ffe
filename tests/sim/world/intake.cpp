#include "sim/world/intake.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "domain/codec.hpp"
#include "platform/eventlog/event_log.hpp"

namespace adtally::sim {
namespace {

constexpr std::array<std::string_view, 6> poisons{
    "",
    "{",
    "\xff\xfe",
    "[]",
    R"({"type":"impression"})",
    R"({"event_id":"p","type":"view","ad_id":1,"campaign_id":1,"schema":1})"};

}  // namespace

Intake::Intake(Setting& setting, LogModel& log)
    : setting_(setting), log_(log), collectors_(setting.profile.collectors) {
    for (Collector& collector : collectors_)
        collector.skew_ms = setting_.draw_skew();
}

std::int32_t Intake::make_sending() {
    Random& random = setting_.random;
    const auto number = static_cast<std::int32_t>(sendings_.size());
    Sending sending;
    sending.id = fmt::format("e{}", number);
    sending.type = static_cast<domain::EventType>(random.below(3));
    sending.ad = random.between(1, static_cast<std::int64_t>(setting_.profile.ads));
    // Without an equal: two wrong counts of one ad do not make a right sum.
    sending.cost_micros = random.between(1, 1'000'000'000);
    sending.first_ms = sending.last_ms = setting_.now_ms;
    sending.event_ms = setting_.wall_ms() - random.between(0, 3'600'000);
    // The key of deduplication is type and id: an impression and its click may share the id.
    if (!sendings_.empty() && random.one_in(8)) {
        Sending& other = sendings_[random.below(sendings_.size())];
        if (!std::exchange(other.paired, true)) {
            sending.id = other.id;
            sending.ad = other.ad;
            sending.type = static_cast<domain::EventType>((static_cast<int>(other.type) + 1) % 3);
            sending.paired = true;
        }
    }
    sending.campaign = 1 + sending.ad % 2;
    sendings_.push_back(std::move(sending));
    return number;
}

bool Intake::may_be_sent_again(const Sending& sending) const {
    return !sending.acknowledged && setting_.now_ms - sending.first_ms <= setting_.profile.again_ms;
}

bool Intake::is_on_its_way(std::size_t number) const {
    const auto is_it = [number](const Copy& copy) {
        return static_cast<std::size_t>(copy.sending) == number;
    };
    const auto holds_it = [&](const Collector& collector) {
        return std::any_of(collector.spool.begin(), collector.spool.end(), is_it);
    };
    return std::any_of(late_.begin(), late_.end(), is_it) ||
           std::any_of(collectors_.begin(), collectors_.end(), holds_it);
}

void Intake::send() {
    std::vector<std::int32_t> batch;
    for (std::size_t left = 1 + setting_.random.below(4); left > 0; --left)
        batch.push_back(make_sending());
    if (setting_.faults.strikes(Fault::sent_twice))
        batch.push_back(batch.front());
    deliver(batch);
}

// Clients give up before the window ends: later it might count again.
void Intake::send_again() {
    std::erase_if(unanswered_, [this](std::int32_t each) { return !may_be_sent_again(at(each)); });
    if (unanswered_.empty())
        return;
    std::vector<std::int32_t> batch;
    for (std::size_t left = 1 + setting_.random.below(3); left > 0; --left)
        batch.push_back(unanswered_[setting_.random.below(unanswered_.size())]);
    setting_.faults.saw(Fault::sent_again, batch.size());
    deliver(batch);
}

// Once all copies of an event lie more than a window back, by any clock, its id counts again.
void Intake::send_after_window() {
    const std::int64_t apart_ms = remembered_ms(setting_.profile.processor.dedup_window.count()) +
                                  2 * setting_.profile.skew_ms;
    std::vector<std::size_t> old;
    for (std::size_t i = 0; i < sendings_.size(); ++i)
        if (!sendings_[i].succeeded && sendings_[i].last_ms + apart_ms < setting_.now_ms &&
            !is_on_its_way(i))
            old.push_back(i);
    if (old.empty())
        return;
    setting_.faults.saw(Fault::sent_after_window);
    send_id_anew(old[setting_.random.below(old.size())], false);
}

// The last moment of the window, or the first one after it. What becomes of such an event only the
// rule of deduplication says.
void Intake::send_at_edge() {
    const std::int64_t window_ms = remembered_ms(setting_.profile.processor.dedup_window.count());
    std::vector<std::size_t> young;
    for (std::size_t i = 0; i < sendings_.size(); ++i)
        if (!sendings_[i].succeeded && sendings_[i].last_ms + window_ms >= setting_.now_ms)
            young.push_back(i);
    if (young.empty())
        return;
    const std::size_t number = young[setting_.random.below(young.size())];
    setting_.now_ms = sendings_[number].last_ms + window_ms + (setting_.random.one_in(2) ? 1 : 0);
    setting_.faults.saw(Fault::sent_at_edge);
    send_id_anew(number, true);
}

void Intake::send_id_anew(std::size_t number, bool at_edge) {
    Sending& before = sendings_[number];
    before.succeeded = true;
    before.at_edge |= at_edge;
    Sending next = before;
    next.first_ms = next.last_ms = setting_.now_ms;
    next.acknowledged = false;
    next.succeeded = false;
    next.paired = true;  // only the first of an id is given a pair
    sendings_.push_back(std::move(next));
    deliver({static_cast<std::int32_t>(sendings_.size()) - 1});
}

void Intake::send_poison() {
    setting_.faults.saw(Fault::poison);
    const auto partition = static_cast<std::int32_t>(
        setting_.random.below(static_cast<std::size_t>(log_.partitions())));
    setting_.tell("somebody writes poison to the log");
    log_.append(partition,
                {.key = "k", .value = std::string(poisons[setting_.random.below(poisons.size())])});
}

void Intake::deliver(const std::vector<std::int32_t>& batch) {
    const std::size_t number = setting_.random.below(collectors_.size());
    setting_.tell("client: events {} to collector {}", fmt::join(batch, " "), number);
    bool answered = collectors_[number].up && receive(number, batch);
    if (answered && setting_.faults.strikes(Fault::answer_lost))
        answered = false;
    setting_.tell("  {}", answered ? "acknowledged" : "no answer");
    for (const std::int32_t sending : batch) {
        at(sending).acknowledged |= answered;
        if (!answered)
            unanswered_.push_back(sending);
    }
}

// True: a promise, the batch is durable.
bool Intake::receive(std::size_t number, const std::vector<std::int32_t>& batch) {
    Collector& collector = collectors_[number];
    if (setting_.bug == PlantedBug::early_answer)
        for (const std::int32_t sending : batch)
            at(sending).acknowledged = true;
    if (!survives(number, "before it wrote anything"))
        return false;
    std::vector<Copy> copies;
    copies.reserve(batch.size());
    for (const std::int32_t sending : batch)
        copies.push_back(copy_of(sending, collector));
    if (!collector.spool.empty() || append(copies) == Outcome::failed) {
        if (!survives(number, "between log and spool"))
            return false;
        if (setting_.faults.strikes(Fault::spool_refused)) {
            setting_.tell("  the spool is full");
            return false;
        }
        setting_.tell("  collector {} spools them", number);
        collector.spool.insert(collector.spool.end(), copies.begin(), copies.end());
    }
    return survives(number, "before it answered");
}

Intake::Copy Intake::copy_of(std::int32_t number, const Collector& received_by) {
    const Sending& sending = at(number);
    domain::Event event;
    event.type = sending.type;
    event.ad_id = domain::AdId{sending.ad};
    event.campaign_id = domain::CampaignId{sending.campaign};
    event.event_id = sending.id;
    event.timestamp = TimestampMs{sending.event_ms};
    event.received_at = TimestampMs{setting_.wall_ms() + received_by.skew_ms};
    event.cost = domain::Micros{sending.cost_micros};
    event.has_cost = true;
    Copy copy{number, event.received_at, {}};
    domain::append_canonical(event, copy.value);
    return copy;
}

// What a collector is told of its batch, which is not always what has become of it.
Intake::Outcome Intake::append(const std::vector<Copy>& copies) {
    Faults& faults = setting_.faults;
    if (log_.away || faults.strikes(Fault::append_refused)) {
        setting_.tell("  append refused");
        return Outcome::failed;
    }
    if (faults.strikes(Fault::append_late)) {
        setting_.tell("  append timed out, and is on its way");
        late_.insert(late_.end(), copies.begin(), copies.end());
        return Outcome::failed;
    }
    std::size_t written = copies.size();
    if (written > 1 && faults.strikes(Fault::append_cut))
        written = 1 + setting_.random.below(written - 1);
    for (std::size_t i = 0; i < written; ++i)
        write(copies[i]);
    const bool told_failed = written < copies.size() || faults.strikes(Fault::append_timed_out);
    if (told_failed)
        setting_.tell("  append timed out, {} of {} written", written, copies.size());
    return told_failed ? Outcome::failed : Outcome::written;
}

void Intake::write(const Copy& copy) {
    Sending& sending = at(copy.sending);
    sending.last_ms = setting_.now_ms;
    const std::string key = std::to_string(sending.ad);
    const Partition partition = eventlog::partition_of(key, log_.partitions());
    log_.append(partition.value, {.received_at = copy.received_at,
                                  .key = key,
                                  .value = copy.value,
                                  .sending = copy.sending});
}

void Intake::drain() {
    const std::size_t number = setting_.random.below(collectors_.size());
    if (collectors_[number].up && !collectors_[number].spool.empty())
        drain_from(number, 1 + setting_.random.below(5));
}

void Intake::drain_from(std::size_t number, std::size_t most) {
    std::vector<Copy>& spool = collectors_[number].spool;
    const auto end = spool.begin() + static_cast<std::ptrdiff_t>(std::min(most, spool.size()));
    setting_.tell("collector {} drains {} of {} events", number, end - spool.begin(), spool.size());
    if (append({spool.begin(), end}) == Outcome::failed)
        return;
    if (setting_.faults.strikes(Fault::drain_repeated))
        crash(number, "after it drained");
    else
        spool.erase(spool.begin(), end);
}

void Intake::crash(std::size_t number, const char* where) {
    setting_.tell("  collector {} dies {}", number, where);
    collectors_[number].up = false;
}

bool Intake::survives(std::size_t number, const char* where) {
    if (!setting_.faults.strikes(Fault::collector_crash))
        return true;
    crash(number, where);
    return false;
}

void Intake::restart_collector() {
    Collector& collector = collectors_[setting_.random.below(collectors_.size())];
    if (!std::exchange(collector.up, true))
        setting_.tell("collector {} starts", &collector - collectors_.data());
}

void Intake::land_late_append() {
    if (late_.empty())
        return;
    const auto at =
        late_.begin() + static_cast<std::ptrdiff_t>(setting_.random.below(late_.size()));
    setting_.tell("a late append lands");
    write(*at);
    late_.erase(at);
}

std::uint64_t Intake::acknowledged() const {
    return static_cast<std::uint64_t>(
        std::count_if(sendings_.begin(), sendings_.end(),
                      [](const Sending& sending) { return sending.acknowledged; }));
}

void Intake::settle() {
    for (std::size_t i = 0; i < collectors_.size(); ++i) {
        collectors_[i].up = true;
        drain_from(i, collectors_[i].spool.size());
    }
    while (!late_.empty())
        land_late_append();
    for (const std::int32_t sending : std::exchange(unanswered_, {}))
        if (may_be_sent_again(at(sending)))
            deliver({sending});
}

}  // namespace adtally::sim
