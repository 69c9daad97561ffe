#include "sim/world/log_model.hpp"

#include <algorithm>
#include <utility>

namespace adtally::sim {

LogModel::LogModel(Setting& setting)
    : setting_(setting), records_(static_cast<std::size_t>(setting.profile.partitions)) {
    for (std::size_t i = 0; i < records_.size(); ++i)
        skew_ms_.push_back(setting.draw_skew());
}

void LogModel::append(std::int32_t partition, Record record) {
    const auto index = static_cast<std::size_t>(partition);
    record.appended_at = TimestampMs{setting_.wall_ms() + skew_ms_[index]};
    if (record.sending < 0)
        setting_.tell("  log: poison at {}/{}", partition, end(partition));
    else
        setting_.tell("  log: event {} at {}/{}", record.sending, partition, end(partition));
    records_[index].push_back(std::move(record));
}

std::int64_t LogModel::offset_at(std::int32_t partition, TimestampMs at) const {
    const auto& list = records(partition);
    const auto found = std::partition_point(
        list.begin(), list.end(), [at](const Record& record) { return record.appended_at < at; });
    return found - list.begin();
}

std::size_t LogModel::size() const {
    std::size_t all = 0;
    for (const auto& list : records_)
        all += list.size();
    return all;
}

}  // namespace adtally::sim
