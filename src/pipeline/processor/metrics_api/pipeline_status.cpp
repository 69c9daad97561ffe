#include "pipeline/processor/metrics_api/pipeline_status.hpp"

#include <fmt/format.h>

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

}  // namespace

bool PartitionBooks::balanced() const {
    if (!started)
        return counted + duplicates + dead_lettered + expired == 0;
    return offset - base == counted + duplicates + dead_lettered + expired && offset <= end;
}

Result<std::vector<PartitionBooks>> read_books(redis::Client& client, const std::string& topic,
                                               const std::vector<eventlog::Watermarks>& log) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < log.size(); ++i) {
        Partition partition{static_cast<std::int32_t>(i)};
        names.push_back(keys::offset(topic, partition));
        names.push_back(keys::books(topic, partition));
    }
    std::vector<std::string_view> words{names.begin(), names.end()};
    redis::Script script{std::string(read_books_source)};
    ADTALLY_TRY(auto reply, redis::evaluate(client, script, words, {}));
    if (reply.elements.size() != log.size())
        return Error{ErrorCode::internal, "Redis answered the books with " + reply.text};
    std::vector<PartitionBooks> all(log.size());
    for (std::size_t i = 0; i < log.size(); ++i) {
        const auto& fields = reply.elements[i].elements;
        auto number = [&fields](std::size_t at) {
            return at < fields.size() ? domain::parse_decimal(fields[at].text).value_or(0) : 0;
        };
        PartitionBooks& books = all[i];
        books.begin = log[i].begin.value;
        books.end = log[i].end.value;
        books.started = !fields.empty() && !fields[0].is_nil();
        books.offset = number(0);
        books.base = number(1);
        books.counted = number(2);
        books.duplicates = number(3);
        books.dead_lettered = number(4);
        books.expired = number(5);
    }
    return all;
}

std::string status_json(const std::vector<PartitionBooks>& partitions, const Intake& intake) {
    PartitionBooks sum;
    std::int64_t lag = 0;
    bool balanced = true;
    std::string list;
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        const PartitionBooks& books = partitions[i];
        sum.end += books.end;
        sum.counted += books.counted;
        sum.duplicates += books.duplicates;
        sum.dead_lettered += books.dead_lettered;
        sum.expired += books.expired;
        lag += books.lag();
        balanced = balanced && books.balanced();
        list += fmt::format(
            R"({}{{"partition":{},"begin":{},"end":{},"processed":{},"lag":{},"balanced":{}}})",
            i == 0 ? "" : ",", i, books.begin, books.end, books.end - books.lag(), books.lag(),
            books.balanced());
    }
    balanced = balanced && intake.accepted <= sum.end;
    std::int64_t processed = sum.end - lag;
    return fmt::format(
        R"({{"accepted":{},"rejected":{},"appended":{},"processed":{},"counted":{},)"
        R"("duplicates":{},"dead_lettered":{},"expired":{},"in_flight":{},"balanced":{},)"
        R"("partitions":[{}]}})",
        intake.accepted, intake.rejected, sum.end, processed, sum.counted, sum.duplicates,
        sum.dead_lettered, sum.expired, lag, balanced, list);
}

}  // namespace adtally::metrics_api
