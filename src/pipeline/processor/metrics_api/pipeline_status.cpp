#include "pipeline/processor/metrics_api/pipeline_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::metrics_api {
namespace {

namespace keys = redis_sink::keys;

// One script, so that offset and books are of one moment.
constexpr std::string_view read_books_source = R"lua(
local all = {}
for i = 1, #KEYS, 2 do
  local books = redis.call('HMGET', KEYS[i + 1], 'base', 'counted', 'duplicates', 'dead_lettered',
                           'expired')
  all[#all + 1] = {redis.call('GET', KEYS[i]), books[1], books[2], books[3], books[4], books[5]}
end
return all
)lua";

Result<std::vector<PartitionBooks>> read_books(redis::Client& client, const std::string& topic,
                                               std::int32_t partitions) {
    std::vector<std::string> names;
    for (Partition partition{0}; partition.value < partitions; ++partition.value) {
        names.push_back(keys::offset(topic, partition));
        names.push_back(keys::books(topic, partition));
    }
    const std::vector<std::string_view> words{names.begin(), names.end()};
    const redis::Script script{std::string(read_books_source)};
    ADTALLY_TRY(auto reply, redis::evaluate(client, script, words, {}));
    if (reply.elements.size() != static_cast<std::size_t>(partitions))
        return Error{ErrorCode::internal, "Redis answered the books with " + reply.text};
    std::vector<PartitionBooks> all;
    for (const redis::Reply& each : reply.elements) {
        const auto& fields = each.elements;
        auto number = [&fields](std::size_t at) {
            return at < fields.size() ? domain::parse_decimal(fields[at].text).value_or(0) : 0;
        };
        PartitionBooks books;
        books.started = !fields.empty() && !fields[0].is_nil();
        books.offset = number(0);
        books.base = number(1);
        books.counted = number(2);
        books.duplicates = number(3);
        books.dead_lettered = number(4);
        books.expired = number(5);
        all.push_back(books);
    }
    return all;
}

// Numbers between blanks; what is missing is 0. The fifth word is the collector's name, host:port;
// an older version has a number there.
Intake report_of(std::string_view text) {
    std::array<std::optional<std::int64_t>, 5> numbers{};
    for (std::optional<std::int64_t>& number : numbers) {
        const std::size_t end = std::min(text.find(' '), text.size());
        number = domain::parse_decimal(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const bool older = numbers[4].has_value();
    return {.accepted = numbers[0].value_or(0),
            .rejected = numbers[1].value_or(0),
            .spooled = older ? 0 : numbers[2].value_or(0)};
}

}  // namespace

Result<Intake> read_reported_intake(redis::Client& client, const std::string& key) {
    ADTALLY_TRY(const auto reply, client.command({"HVALS", key}));
    if (reply.is_error())
        return Error{ErrorCode::unavailable, key + " in Redis is not ours: " + reply.text};
    Intake sum;
    for (const redis::Reply& each : reply.elements) {
        const Intake said = report_of(each.text);
        sum.accepted += said.accepted;
        sum.rejected += said.rejected;
        sum.spooled += said.spooled;
    }
    return sum;
}

std::int64_t PartitionBooks::difference() const {
    const std::int64_t booked = counted + duplicates + dead_lettered + expired;
    if (!started)
        return booked;
    return std::abs(offset - base - booked) + std::max<std::int64_t>(0, offset - end);
}

PartitionBooks PipelineStatus::sum() const {
    PartitionBooks sum;
    for (const PartitionBooks& books : partitions) {
        sum.end += books.end;
        sum.counted += books.counted;
        sum.duplicates += books.duplicates;
        sum.dead_lettered += books.dead_lettered;
        sum.expired += books.expired;
    }
    return sum;
}

std::int64_t PipelineStatus::in_flight() const {
    std::int64_t lag = 0;
    for (const PartitionBooks& books : partitions)
        lag += books.lag();
    return lag;
}

std::int64_t PipelineStatus::difference() const {
    const std::int64_t missing = intake.accepted - intake.spooled - sum().end;
    std::int64_t difference = std::max<std::int64_t>(0, missing);
    for (const PartitionBooks& books : partitions)
        difference += books.difference();
    return difference;
}

Result<PipelineStatus> read_status(redis::Client& client, eventlog::EventLog& log,
                                   const std::string& topic, const ReadIntake& intake) {
    PipelineStatus status;
    ADTALLY_TRY(const auto info, log.topic(topic));
    ADTALLY_TRY(auto taken, intake(client));
    status.intake = taken;
    ADTALLY_TRY(auto books, read_books(client, topic, info.partitions));
    ADTALLY_TRY(const auto ends, log.watermarks(topic));
    for (std::size_t i = 0; i < books.size() && i < ends.size(); ++i) {
        books[i].begin = ends[i].begin.value;
        books[i].end = ends[i].end.value;
    }
    status.partitions = std::move(books);
    return status;
}

std::string status_json(const PipelineStatus& status, const std::string& minutes) {
    std::string list;
    for (std::size_t i = 0; i < status.partitions.size(); ++i) {
        const PartitionBooks& books = status.partitions[i];
        list += fmt::format(
            R"({}{{"partition":{},"begin":{},"end":{},"processed":{},"lag":{},"balanced":{}}})",
            i == 0 ? "" : ",", i, books.begin, books.end, books.end - books.lag(), books.lag(),
            books.difference() == 0);
    }
    const PartitionBooks sum = status.sum();
    const std::int64_t lag = status.in_flight();
    const Intake& intake = status.intake;
    return fmt::format(
        R"({{"accepted":{},"rejected":{},"spooled":{},"appended":{},"unclaimed":{},)"
        R"("processed":{},"counted":{},"duplicates":{},"dead_lettered":{},"expired":{},)"
        R"("in_flight":{},"difference":{},"balanced":{},"minutes":{},"partitions":[{}]}})",
        intake.accepted, intake.rejected, intake.spooled, sum.end,
        std::max<std::int64_t>(0, sum.end + intake.spooled - intake.accepted), sum.end - lag,
        sum.counted, sum.duplicates, sum.dead_lettered, sum.expired, lag, status.difference(),
        status.difference() == 0, minutes, list);
}

}  // namespace adtally::metrics_api
