#include "platform/eventlog/kafka/range_reader.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <utility>

#include "platform/eventlog/kafka/ends.hpp"

namespace adtally::eventlog::kafka {
namespace {

constexpr std::size_t messages_at_once = 10'000;

int ms(Milliseconds span) {
    return static_cast<int>(span.count());
}

void copy_headers(const rd_kafka_message_t& message, FetchedBatch& batch) {
    rd_kafka_headers_t* headers = nullptr;
    HeaderRun run{static_cast<std::uint32_t>(batch.records.size()), {}};
    if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                                RD_KAFKA_RESP_ERR_NO_ERROR;
             ++i)
            run.headers.push_back({name, std::string(static_cast<const char*>(value), size)});
    }
    batch.header_runs.push_back(std::move(run));
}

}  // namespace

std::size_t size_of(const rd_kafka_message_t& message) {
    return message.key_len + message.len + value_padding;
}

// The storage has its room already: the views into it stay.
void copy_to(const rd_kafka_message_t& message, std::string& storage, FetchedBatch& batch) {
    if (batch.wants_headers)
        copy_headers(message, batch);
    const std::size_t key = storage.size();
    storage.append(static_cast<const char*>(message.key), message.key_len);
    const std::size_t value = storage.size();
    storage.append(static_cast<const char*>(message.payload), message.len);
    storage.append(value_padding, '\0');
    rd_kafka_timestamp_type_t type{};
    const std::string_view all{storage};
    batch.records.push_back({Offset{message.offset},
                             TimestampMs{rd_kafka_message_timestamp(&message, &type)},
                             all.substr(key, message.key_len), all.substr(value, message.len)});
}

Result<RangeReader> RangeReader::open(const ClusterSettings& cluster, std::string topic,
                                      Milliseconds timeout) {
    ADTALLY_TRY(
        auto conf,
        make_conf(cluster, {{"auto.offset.reset", "error"},
                            {"check.crcs", "true"},
                            // What is fetched ahead is thrown away at the end of a stretch.
                            {"queued.max.messages.kbytes", "4096"},
                            {"fetch.error.backoff.ms", "20"},
                            // It reads what is there: a fetch that waits for
                            // more holds up the next stretch.
                            {"fetch.wait.max.ms", "10"},
                            // Says that nothing stands between a position and the end.
                            {"enable.partition.eof", "true"},
                            // What bounds a question whose broker is silent.
                            {"socket.timeout.ms", std::to_string(std::max(timeout.count(), 10L))},
                            {"enable.auto.commit", "false"}}));
    ADTALLY_TRY(auto handle, connect(Role::consumer, std::move(conf)));
    return RangeReader{std::move(handle), std::move(topic), timeout};
}

RangeReader::RangeReader(Handle handle, std::string name, Milliseconds timeout)
    : handle_(std::move(handle)),
      name_(std::move(name)),
      timeout_(timeout),
      topic_(rd_kafka_topic_new(handle_.get(), name_.c_str(), nullptr)) {}

RangeReader::~RangeReader() {
    if (handle_ != nullptr)
        stop();
}

Result<Watermarks> RangeReader::watermarks(Partition partition) {
    ADTALLY_TRY(const auto found, query_ends(handle_.get(), name_, {partition}, timeout_));
    return found.front();
}

Result<Offset> RangeReader::offset_at(Partition partition, TimestampMs at) {
    using List = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                 decltype(&rd_kafka_topic_partition_list_destroy)>;
    const List list{rd_kafka_topic_partition_list_new(1), rd_kafka_topic_partition_list_destroy};
    auto* asked = rd_kafka_topic_partition_list_add(list.get(), name_.c_str(), partition.value);
    asked->offset = at.value;
    auto failure = rd_kafka_offsets_for_times(handle_.get(), list.get(), ms(timeout_));
    if (failure == RD_KAFKA_RESP_ERR_NO_ERROR)
        failure = asked->err;
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        return to_error(failure,
                        fmt::format("the offset at a time of {}/{}", name_, partition.value));
    if (asked->offset >= 0)
        return Offset{asked->offset};
    ADTALLY_TRY(const auto ends, watermarks(partition));
    return ends.end;
}

Status RangeReader::start(Partition partition, Offset from) {
    if (fetching_ && partition_ == partition && next_ == from)
        return ok();
    stop();
    if (rd_kafka_consume_start(topic_.get(), partition.value, from.value) != 0)
        return to_error(rd_kafka_last_error(),
                        fmt::format("reading {}/{}", name_, partition.value));
    fetching_ = true;
    partition_ = partition;
    next_ = from;
    return ok();
}

void RangeReader::stop() {
    if (std::exchange(fetching_, false))
        rd_kafka_consume_stop(topic_.get(), partition_.value);
}

Status RangeReader::read(Partition partition, Offset from, Offset to, FetchedBatch& batch) {
    batch.clear();
    batch.partition = partition;
    if (from >= to)
        return ok();
    ADTALLY_TRY(const auto ends, watermarks(partition));
    if (from.value < 0 || to > ends.end)
        return Error{ErrorCode::conflict,
                     fmt::format("{}/{} ends at {}, it has no records [{}, {}): the positions are "
                                 "of another log, or this one has lost records",
                                 name_, partition.value, ends.end.value, from.value, to.value)};
    if (from < ends.begin)
        return Error{ErrorCode::not_found,
                     fmt::format("retention has removed the record at {} of {}/{}: go on at {}",
                                 from.value, name_, partition.value, ends.begin.value)};
    ADTALLY_TRY(start(partition, from));
    auto storage = std::make_shared<std::string>();
    const Deadline deadline = Deadline::after(timeout_);
    std::array<rd_kafka_message_t*, messages_at_once> messages;
    int failure = 0;
    while (batch.records.empty() && failure == 0 && next_ < to && !deadline.passed()) {
        const auto wanted = std::min<std::int64_t>(to.value - next_.value, messages_at_once);
        const auto got = rd_kafka_consume_batch(topic_.get(), partition.value, 100, messages.data(),
                                                static_cast<std::size_t>(wanted));
        std::size_t bytes = 0;
        for (ssize_t i = 0; i < got; ++i)
            bytes += size_of(*messages[static_cast<std::size_t>(i)]);
        storage->reserve(bytes);
        failure = got < 0 ? rd_kafka_last_error() : 0;
        for (ssize_t i = 0; i < got; ++i) {
            rd_kafka_message_t* message = messages[static_cast<std::size_t>(i)];
            const Offset offset{message->offset};
            if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
                next_ = std::max(next_, offset);
            } else if (failure == 0) {  // what stands behind one is not read: it is tried again
                failure = message->err;
                if (failure == 0 && offset < to)
                    copy_to(*message, *storage, batch);
                if (failure == 0)
                    next_ = Offset{offset.value + 1};
            }
            rd_kafka_message_destroy(message);
        }
    }
    if (failure != 0) {
        stop();
        if (batch.records.empty())
            return to_error(failure, fmt::format("reading {}/{}", name_, partition.value));
    }
    if (batch.records.empty() && next_ < to)
        return Error{ErrorCode::unavailable,
                     fmt::format("reading {}/{} at {}: Kafka gave nothing in {} ms", name_,
                                 partition.value, from.value, timeout_.count())};
    if (next_ >= to)
        stop();  // or it would fetch on
    batch.storage = std::move(storage);
    return ok();
}

}  // namespace adtally::eventlog::kafka
