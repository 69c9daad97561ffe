// The event log as its broker has it: partitions of records, and the dead letters.
//
// Stamps are the broker's: a partition's leader has a clock that is off by a constant, and never
// goes back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/strong.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

inline constexpr const char* events_topic = "ad-events";
inline constexpr const char* letters_topic = "ad-events-dlt";

struct Record {
    TimestampMs appended_at{};
    TimestampMs received_at{};  // as the record's value has it
    std::string key{};
    std::string value{};
    std::int32_t sending = -1;  // whose event it is (intake.hpp); -1: poison
};

struct Letter {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::string value{};
};

class LogModel {
public:
    explicit LogModel(Setting& setting);

    // Stamps it.
    void append(std::int32_t partition, Record record);
    std::int32_t partitions() const { return static_cast<std::int32_t>(records_.size()); }
    const std::vector<Record>& records(std::int32_t partition) const {
        return records_[static_cast<std::size_t>(partition)];
    }
    std::int64_t end(std::int32_t partition) const {
        return static_cast<std::int64_t>(records(partition).size());
    }
    // Smallest offset with a stamp of at least `at`; the end when there is none.
    std::int64_t offset_at(std::int32_t partition, TimestampMs at) const;
    std::size_t size() const;

    bool away = false;  // for writers
    std::vector<Letter> letters;

private:
    Setting& setting_;
    std::vector<std::vector<Record>> records_;
    std::vector<std::int64_t> skew_ms_;  // of each partition's leader
};

}  // namespace adtally::sim
