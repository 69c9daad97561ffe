#include "pipeline/processor/history.hpp"

#include "pipeline/processor/partition_state.hpp"

namespace adtally::processor {

Result<Offset> begin_history(PartitionState& state, eventlog::Reader& reader) {
    state.begin_history();
    ADTALLY_TRY(const auto ends, reader.watermarks(state.partition()));
    ADTALLY_TRY(auto at, reader.offset_at(state.partition(), state.history_since()));
    at = std::max(at, ends.begin);
    if (const Offset least{state.next().value - history_read_records}; at < least) {
        at = least;
        state.truncate_history();
    }
    return at;
}

Status restore_history(PartitionState& state, eventlog::Reader& reader, Tools& tools,
                       const std::function<bool()>& stopping) {
    ADTALLY_TRY(auto at, begin_history(state, reader));
    eventlog::FetchedBatch batch;
    while (at < state.next()) {
        if (stopping())
            return Error{ErrorCode::unavailable, "stopping"};
        ADTALLY_TRY(reader.read(state.partition(), at, state.next(), batch));
        if (batch.records.empty())
            break;  // offsets without records, up to there
        for (const eventlog::FetchedRecord& record : batch.records)
            state.remember_history(record, tools);
        at = Offset{batch.records.back().offset.value + 1};
    }
    return ok();
}

}  // namespace adtally::processor
