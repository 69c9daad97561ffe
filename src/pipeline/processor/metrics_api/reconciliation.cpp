#include "pipeline/processor/metrics_api/reconciliation.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "domain/codec.hpp"
#include "domain/validation.hpp"
#include "pipeline/processor/redis_sink/keys.hpp"

namespace adtally::metrics_api {
namespace {

namespace keys = redis_sink::keys;

constexpr std::int64_t rows_told = 60;

// KEYS: row, open incident, anomalies, the log that is counted here. ARGV: row, its lifetime,
// difference, the incident's id, now, anomalies kept, topic, our log. Returns 0 when the row was
// there, 1 written, 2 opened, 3 resolved, 4 when the Redis is not (yet) of our log.
constexpr std::string_view write_row_source = R"lua(
if redis.call('GET', KEYS[4]) ~= ARGV[8] then return 4 end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 0 end
local open = redis.call('GET', KEYS[2])
local function tell(id, state)
  redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[6], '*', 'id', id, 'rule', 'reconciliation',
             'entity', 'pipeline', 'entity_id', ARGV[7], 'state', state, 'observed', ARGV[3],
             'threshold', '0', 'event_time_ms', ARGV[5], 'detected_at_ms', ARGV[5])
end
if ARGV[3] ~= '0' and not open then
  redis.call('SET', KEYS[2], ARGV[4])
  tell(ARGV[4], 'OPEN')
  return 2
end
if ARGV[3] == '0' and open then
  tell(open, 'RESOLVED')
  redis.call('DEL', KEYS[2])
  return 3
end
return 1
)lua";

// In the order in which a row holds them; the first six are sums that grow.
struct Row {
    std::int64_t accepted = 0;
    std::int64_t rejected = 0;
    std::int64_t appended = 0;
    std::int64_t counted = 0;
    std::int64_t duplicates = 0;
    std::int64_t dead_lettered = 0;
    std::int64_t expired = 0;
    std::int64_t spooled = 0;
    std::int64_t in_flight = 0;
    std::int64_t difference = 0;
};

std::string to_text(const Row& row) {
    return fmt::format("{} {} {} {} {} {} {} {} {} {}", row.accepted, row.rejected, row.appended,
                       row.counted, row.duplicates, row.dead_lettered, row.expired, row.spooled,
                       row.in_flight, row.difference);
}

Row row_of(const PipelineStatus& status) {
    const PartitionBooks sum = status.sum();
    return {status.intake.accepted, status.intake.rejected, sum.end,     sum.counted,
            sum.duplicates,         sum.dead_lettered,      sum.expired, status.intake.spooled,
            status.in_flight(),     status.difference()};
}

std::int64_t next_number(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view digits = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool negative = digits.starts_with('-');
    digits.remove_prefix(negative ? 1 : 0);
    const std::int64_t number = domain::parse_decimal(digits).value_or(0);
    return negative ? -number : number;
}

Row row_of(std::string_view text) {
    Row row;
    for (std::int64_t* each :
         {&row.accepted, &row.rejected, &row.appended, &row.counted, &row.duplicates,
          &row.dead_lettered, &row.expired, &row.spooled, &row.in_flight, &row.difference})
        *each = next_number(text);
    return row;
}

std::string json_of(const Row& before, const Row& now, TimestampMs from, TimestampMs to) {
    std::string json = R"({"from":)";
    auto add_time = [&json](TimestampMs time) {
        std::string text;
        domain::append_rfc3339(time, text);
        domain::append_json_string(text, json);
    };
    add_time(from);
    json += R"(,"to":)";
    add_time(to);
    return json +
           fmt::format(R"(,"accepted":{},"rejected":{},"appended":{},"counted":{},)"
                       R"("duplicates":{},"dead_lettered":{},"expired":{},"spooled":{},)"
                       R"("in_flight":{},"difference":{}}})",
                       now.accepted - before.accepted,
                       // Of the embedded stack it begins anew with each start.
                       std::max<std::int64_t>(0, now.rejected - before.rejected),
                       now.appended - before.appended, now.counted - before.counted,
                       now.duplicates - before.duplicates, now.dead_lettered - before.dead_lettered,
                       now.expired - before.expired, now.spooled, now.in_flight, now.difference);
}

}  // namespace

Reconciler::Reconciler(ReconcilerOptions options, eventlog::EventLog& log, ReadIntake intake,
                       const Clock& clock)
    : options_(std::move(options)),
      log_(log),
      intake_(std::move(intake)),
      clock_(clock),
      client_(options_.redis) {}

Reconciler::~Reconciler() {
    stop();
}

void Reconciler::start() {
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "proc-books");
        run();
    });
}

void Reconciler::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

void Reconciler::run() {
    for (;;) {
        const std::int64_t every = options_.every.count();
        {
            std::unique_lock lock(mutex_);
            const Milliseconds left{every - clock_.wall().value % every};
            if (wake_.wait_for(lock, left, [this] { return stopping_; }))
                return;
        }
        const auto written = write(clock_.wall());
        if (!written)
            logger_.warn("no reconciliation of this minute",
                         {{"error", std::string_view(written.error().message)}});
        else if (written.value() == Written::opened)
            logger_.error("the books do not add up: see /api/pipeline/status");
        else if (written.value() == Written::resolved)
            logger_.info("the books add up again");
    }
}

Result<Reconciler::Written> Reconciler::write(TimestampMs now) {
    ADTALLY_TRY(const auto log, log_.topic(options_.topic));
    ADTALLY_TRY(const auto status, read_status(client_, log_, options_.topic, intake_));
    const Row row = row_of(status);
    difference_ = row.difference;
    const std::int64_t number = now.value / options_.every.count();
    const std::string row_key = keys::reconciliation(options_.topic, number);
    const std::string open_key = keys::open_reconciliation(options_.topic);
    const std::string text = to_text(row);
    const std::string ttl = std::to_string(keys::reconciliation_ttl);
    const std::string difference = std::to_string(row.difference);
    const std::string id = fmt::format("reconciliation:{}:{}", options_.topic, now.value);
    const std::string at = std::to_string(now.value);
    const std::string kept = std::to_string(keys::anomalies_kept);
    const std::string log_key = keys::log_binding(options_.topic);
    const redis::Script script{std::string(write_row_source)};
    ADTALLY_TRY(const auto reply,
                redis::evaluate(
                    client_, script,
                    std::array<std::string_view, 4>{row_key, open_key, keys::anomalies, log_key},
                    std::array<std::string_view, 8>{text, ttl, difference, id, at, kept,
                                                    options_.topic, log.log_id}));
    if (constexpr int not_ours = 4; !reply.is_error() && reply.integer == not_ours)
        return Error{ErrorCode::conflict, "this Redis counts another event log, or none yet"};
    if (reply.is_error() || reply.integer < 0 || reply.integer > 3)
        return Error{ErrorCode::unavailable, "Redis refuses the reconciliation: " + reply.text};
    return static_cast<Written>(reply.integer);
}

Result<std::string> reconciliation_json(redis::Client& client, const std::string& topic,
                                        Milliseconds every, TimestampMs now) {
    const std::int64_t newest = now.value / every.count();
    std::vector<std::string> names;
    for (std::int64_t number = newest - rows_told; number <= newest; ++number)
        names.push_back(keys::reconciliation(topic, number));
    std::vector<std::string_view> words{"MGET"};
    words.insert(words.end(), names.begin(), names.end());
    ADTALLY_TRY(const auto reply, client.command(words));
    std::string json = "[";
    std::optional<std::pair<std::int64_t, Row>> before;
    for (std::size_t i = 0; i < reply.elements.size(); ++i) {
        if (reply.elements[i].is_nil())
            continue;
        const std::int64_t number = newest - rows_told + static_cast<std::int64_t>(i);
        const Row row = row_of(reply.elements[i].text);
        if (before)
            json += (json.size() > 1 ? "," : "") +
                    json_of(before->second, row, TimestampMs{before->first * every.count()},
                            TimestampMs{number * every.count()});
        before = {number, row};
    }
    return json + "]";
}

}  // namespace adtally::metrics_api
