#include "pipeline/processor/history.hpp"

#include <fmt/format.h>

#include "pipeline/processor/partition_state.hpp"

namespace adtally::processor {

Status restore_history(PartitionState& state, eventlog::Reader& reader, Tools& tools,
                       const std::function<bool()>& stopping) {
    state.begin_history();
    ADTALLY_TRY(const auto ends, reader.watermarks(state.partition()));
    ADTALLY_TRY(auto at, reader.offset_at(state.partition(), state.history_since()));
    at = std::max(at, ends.begin);
    // Bounded before anything is read: the group does not wait for ever for a member that is busy.
    if (const Offset least{state.next().value - history_records}; at < least) {
        at = least;
        state.truncate_history();
    }
    eventlog::FetchedBatch batch;
    while (at < state.next()) {
        if (stopping())
            return Error{ErrorCode::unavailable, "stopping"};
        ADTALLY_TRY(reader.read(state.partition(), at, state.next(), batch));
        if (batch.records.empty())
            return Error{ErrorCode::corrupt,
                         fmt::format("partition {} has no records from {} to {}",
                                     state.partition().value, at.value, state.next().value)};
        for (const eventlog::FetchedRecord& record : batch.records)
            state.remember_history(record, tools);
        at = Offset{batch.records.back().offset.value + 1};
    }
    return ok();
}

}  // namespace adtally::processor
