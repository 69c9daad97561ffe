// What the loop needs from the world besides the log: a store that applies a flush exactly once.
//
// The store is the authority on how far a partition has been counted. Its one guarded operation
// (`apply`) is what makes every acknowledged event count exactly once; redis_sink/README.md holds
// the invariant and the proof.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/strong.hpp"
#include "pipeline/processor/deltas.hpp"
#include "pipeline/processor/options.hpp"

namespace adtally::processor {

// Where a partition's records went. They always add up:
// end - start = counted + duplicates + dead_lettered + expired.
struct Books {
    std::int64_t counted = 0;
    std::int64_t duplicates = 0;
    std::int64_t dead_lettered = 0;
    // Removed by the log's retention before they could be counted; or offsets without a record.
    std::int64_t expired = 0;
    std::int64_t total() const { return counted + duplicates + dead_lettered + expired; }
    friend bool operator==(const Books&, const Books&) = default;
};

// One partition's step: everything between `start` and `end`, folded.
struct Flush {
    Partition partition;
    Offset start;
    Offset end;
    bool first = false;  // the store held no offset for this partition when it was last read
    Books books;
    const Deltas* deltas = nullptr;
    Offset log_begin{};  // as far as it is known: what the store keeps of older places may go
};

struct EntityTotals {
    Entity entity = Entity::ad;
    std::int64_t id = 0;
    domain::MetricDelta values;  // absolute, after the flush
};

struct FlushOutcome {
    enum class Kind {
        applied,
        conflict,  // the stored offset was not `start`: nothing was changed
        refused,   // the store holds something that is not ours: nothing was changed
    };
    Kind kind = Kind::applied;
    std::optional<Offset> stored;  // conflict: what is stored; nothing: no offset at all
    std::string reason;            // refused: which key, and the remedy
    // Applied: ads and campaigns that were touched, each in one of the outcomes of one apply().
    std::vector<EntityTotals> totals;
};

class MetricsStore {
public:
    virtual ~MetricsStore() = default;
    // Applies each flush atomically, or not at all, and none twice; a flush that is not applied
    // does not keep the others from it. An Error means that nothing is known about any of them:
    // read the positions again.
    virtual Result<std::vector<FlushOutcome>> apply(std::span<const Flush> flushes,
                                                    const Thresholds& thresholds) = 0;
    // The next offset of each partition; nothing where none is stored yet.
    virtual Result<std::vector<std::optional<Offset>>> positions(
        std::span<const Partition> partitions) = 0;
    // Which counted offsets of the partition, from `from` on, went to the dead letters: whoever
    // decodes those records later must not take them for events. As of the same flushes as
    // positions(), or later ones.
    virtual Result<OffsetRanges> dead_lettered(Partition partition, Offset from) = 0;
    // Binds the store to a log at the first call; `conflict` when it is bound to another one.
    virtual Status bind_log(const std::string& log_id) = 0;
    // How often the store was connected to, 0 before the first time. Grows when it was connected
    // to anew and may have lost its newest writes.
    virtual std::uint64_t generation() const = 0;
};

}  // namespace adtally::processor
