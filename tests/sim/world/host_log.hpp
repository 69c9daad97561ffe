// One processor's view of the log: every call may fail, be held, or be the last.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/eventlog/event_log.hpp"
#include "sim/world/group.hpp"
#include "sim/world/log_model.hpp"
#include "sim/world/setting.hpp"

namespace adtally::sim {

class HostLog final : public eventlog::EventLog, public eventlog::Producer {
public:
    HostLog(int host, Setting& setting, LogModel& log, Group& group, Interrupter& interrupter);
    // Answers what is left, as a log does that closes.
    ~HostLog() override;

    eventlog::Producer& producer() override { return *this; }
    Result<std::unique_ptr<eventlog::Consumer>> consumer(
        std::string_view topic, eventlog::AssignmentListener& listener) override;
    Result<std::unique_ptr<eventlog::Reader>> reader(std::string_view topic) override;
    Result<eventlog::TopicInfo> topic(std::string_view name) const override;
    Result<std::vector<eventlog::Watermarks>> watermarks(std::string_view topic) const override;
    void close() override;

    void append(std::string_view topic, eventlog::RecordBatch batch,
                eventlog::AppendDone done) override;
    eventlog::LogHealth health() const override { return {}; }
    std::size_t max_record_bytes() const override { return std::size_t{1} << 20; }

private:
    class Follower;
    void keep_letter(const eventlog::RecordBatch& batch);

    int host_;
    Setting& setting_;
    LogModel& log_;
    Group& group_;
    Interrupter& interrupter_;
    std::vector<eventlog::AppendDone> late_answers_;
};

}  // namespace adtally::sim
