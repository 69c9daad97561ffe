#include "app/replay/feed.hpp"

#include <algorithm>
#include <utility>

namespace adtally::replay {
namespace {

constexpr std::size_t most_batch_bytes = 3'500'000;  // the collector takes 4 MiB
constexpr Milliseconds batch_linger{100};

Result<std::vector<std::unique_ptr<EventReader>>> open_all(const ReplayOptions& options,
                                                           std::int64_t shift_ms) {
    ReaderOptions reading{.reverse = options.reverse,
                          .shift_ms = shift_ms,
                          .event_id_prefix = options.event_id_prefix};
    std::vector<std::unique_ptr<EventReader>> readers;
    for (const std::string& path : options.files) {
        auto reader = open_reader(options.format, path, reading);
        if (!reader) {
            return reader.error();
        }
        readers.push_back(std::move(reader.value()));
    }
    return readers;
}

}  // namespace

SteadyTime Pace::due(TimestampMs time) {
    if (speed_ <= 0 || time.value == 0) {
        return start_;
    }
    if (!first_) {
        first_ = time;
    }
    std::chrono::duration<double, std::milli> elapsed{
        static_cast<double>(time.value - first_->value) / speed_};
    return start_ + std::chrono::duration_cast<SteadyTime::duration>(elapsed);
}

Merge::Merge(std::vector<std::unique_ptr<EventReader>> readers, bool by_time,
             Statistics& statistics)
    : by_time_(by_time), statistics_(statistics) {
    for (auto& reader : readers) {
        sources_.push_back(Source{std::move(reader), {}, TimestampMs{0}});
    }
}

bool Merge::fill(Source& source) {
    std::vector<ReplayEvent> row;
    while (source.ready.empty()) {
        auto more = source.reader->next(row);
        if (!more) {
            statistics_.events_read(1);
            statistics_.rejected("unreadable_row", 1, more.error().message);
            continue;
        }
        if (!more.value()) {
            return false;
        }
        statistics_.events_read(row.size());
        std::move(row.begin(), row.end(), std::back_inserter(source.ready));
        row.clear();
    }
    if (source.ready.front().time.value != 0) {
        source.latest = source.ready.front().time;
    }
    return true;
}

std::optional<ReplayEvent> Merge::next() {
    Source* chosen = nullptr;
    for (Source& source : sources_) {
        if (fill(source) && (chosen == nullptr || source.latest < chosen->latest)) {
            chosen = &source;
        }
        if (chosen != nullptr && !by_time_) {
            break;
        }
    }
    if (chosen == nullptr) {
        return std::nullopt;
    }
    ReplayEvent event = std::move(chosen->ready.front());
    chosen->ready.pop_front();
    return event;
}

Result<TimestampMs> latest_time(const ReplayOptions& options) {
    auto readers = open_all(options, 0);
    if (!readers) {
        return readers.error();
    }
    TimestampMs latest{0};
    std::vector<ReplayEvent> row;
    for (auto& reader : readers.value()) {
        for (;;) {
            auto more = reader->next(row);
            if (more && !more.value()) {
                break;
            }
            for (const ReplayEvent& event : row) {
                latest = std::max(latest, event.time);
            }
            row.clear();
        }
    }
    return latest;
}

Feed::Feed(const ReplayOptions& options, Statistics& statistics, Submit submit)
    : options_(options), statistics_(statistics), submit_(std::move(submit)) {}

Result<Merge> Feed::open() {
    std::int64_t shift_ms = 0;
    if (options_.time_shift_now) {
        ADTALLY_TRY(auto latest, latest_time(options_));
        if (latest.value != 0) {
            shift_ms = SystemClock{}.wall().value - latest.value;
        }
    }
    ADTALLY_TRY(auto readers, open_all(options_, shift_ms));
    return Merge{std::move(readers), options_.speed > 0, statistics_};
}

Status Feed::run(std::stop_token stop) {
    auto merge = open();
    if (!merge) {
        return merge.error();
    }
    Pace pace{options_.speed, std::chrono::steady_clock::now()};
    while (!stop.stop_requested()) {
        auto event = merge.value().next();
        if (!event) {
            flush();
            return ok();
        }
        if (!wait_until_due(pace.due(event->time), stop) || !add(std::move(*event))) {
            return ok();
        }
    }
    return ok();
}

bool Feed::wait_until_due(SteadyTime due, std::stop_token stop) {
    if (options_.speed <= 0) {
        return true;
    }
    for (;;) {
        SteadyTime now = std::chrono::steady_clock::now();
        bool lingered = batch_.events > 0 && now >= batch_began_ + batch_linger;
        if (lingered && !flush()) {
            return false;
        }
        if (now >= due) {
            return true;
        }
        SteadyTime wake = batch_.events > 0 ? std::min(due, batch_began_ + batch_linger) : due;
        std::unique_lock lock(mutex_);
        never_.wait_until(lock, stop, wake, [] { return false; });
        if (stop.stop_requested()) {
            return false;
        }
    }
}

bool Feed::add(ReplayEvent event) {
    bool full = batch_.body.size() + event.json.size() + 1 > most_batch_bytes;
    if (full && !flush()) {
        return false;
    }
    if (batch_.events == 0) {
        batch_began_ = std::chrono::steady_clock::now();
    }
    batch_.body += event.json;
    batch_.body += '\n';
    batch_.events += 1;
    return batch_.events < options_.batch || flush();
}

bool Feed::flush() {
    if (batch_.events == 0) {
        return true;
    }
    return submit_(std::exchange(batch_, Batch{}));
}

}  // namespace adtally::replay
